internal import Glibc

/// The fault-injecting module (Tests/PKCS11Shim) over a real one: its script and its counters.
public struct PKCS11Shim: Sendable {
    /// The shim's own library.
    public let module: String
    private let real: String
    private let scriptPath: String
    private let countsPath: String

    /// Over the module at `real`, with files in the scope's folder.
    public init(_ scope: TestScope, over real: String, name: String = "shim") throws(TestError) {
        module = try Files.executableDirectory() + "/libPKCS11Shim.so"
        guard Files.exists(module) else { throw TestError("\(module) is missing: swift build makes it") }
        self.real = real
        scriptPath = scope.path("\(name).script")
        countsPath = scope.path("\(name).counts")
    }

    /// What the process needs that loads it.
    public var environment: [String: String] {
        ["PKCS11SHIM_MODULE": real, "PKCS11SHIM_SCRIPT": scriptPath, "PKCS11SHIM_COUNTS": countsPath]
    }

    /// Replaces the script at once, as a whole. See Tests/PKCS11Shim/include/PKCS11Shim.h.
    public func script(_ lines: String...) throws(TestError) { try script(lines: lines) }

    /// The same, by a list.
    public func script(lines: [String]) throws(TestError) {
        try Files.write(lines.map { $0 + "\n" }.joined(), to: scriptPath + ".new")
        try Files.move(scriptPath + ".new", to: scriptPath)
    }

    /// No faults any more.
    public func calm() throws(TestError) { try script() }

    /// The counters by name.
    public func counts() throws(TestError) -> [String: Int] {
        guard Files.exists(countsPath) else { return [:] }
        let bytes = try Files.read(countsPath)
        var counts: [String: Int] = [:]
        for start in stride(from: 0, to: bytes.count - 31, by: 32) {
            let name = String(decoding: bytes[start..<(start + 24)].prefix { $0 != 0 }, as: UTF8.self)
            let value = bytes[(start + 24)..<(start + 32)].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            counts[name] = Int(Int64(bitPattern: value))
        }
        return counts
    }

    /// One counter; 0 before the module was loaded.
    public func count(_ name: String) throws(TestError) -> Int { try counts()[name] ?? 0 }
}
