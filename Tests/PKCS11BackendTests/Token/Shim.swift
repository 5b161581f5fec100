internal import Glibc
internal import TestSupport

/// The fault-injecting module (Tests/PKCS11Shim) over a real one: its script and its counters.
struct Shim {
    let module: String
    private let real: String
    private let scriptPath: String
    private let countsPath: String

    /// Over the module at `real`, with files in the scope's folder.
    init(_ scope: TestScope, over real: String, name: String = "shim") throws {
        module = try Files.executableDirectory() + "/libPKCS11Shim.so"
        guard Files.exists(module) else { throw TestError("\(module) is missing: swift build makes it") }
        self.real = real
        scriptPath = scope.path("\(name).script")
        countsPath = scope.path("\(name).counts")
    }

    var environment: [String: String] {
        [
            "DRIVER_MODULE": module, "PKCS11SHIM_MODULE": real, "PKCS11SHIM_SCRIPT": scriptPath,
            "PKCS11SHIM_COUNTS": countsPath,
        ]
    }

    /// Replaces the script at once, as a whole. See Tests/PKCS11Shim/include/PKCS11Shim.h.
    func script(_ lines: String...) throws { try script(lines: lines) }

    func script(lines: [String]) throws {
        try Files.write(lines.map { $0 + "\n" }.joined(), to: scriptPath + ".new")
        try Files.move(scriptPath + ".new", to: scriptPath)
    }

    /// No faults any more.
    func calm() throws { try script() }

    /// The counters by name.
    func counts() throws -> [String: Int] {
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
    func count(_ name: String) throws -> Int { try counts()[name] ?? 0 }
}

extension Driver {
    /// Starts it over a shim. Backoff ends after 50 ms.
    static func start(
        _ scope: TestScope, _ token: SoftToken, shim: Shim, uri: String? = nil, pin: String? = nil,
        environment extra: [String: String] = [:]
    ) async throws -> Driver {
        let environment = shim.environment.merging(["DRIVER_BACKOFF": "50"]) { $1 }
        return try await start(
            scope, token, uri: uri, pin: pin, environment: environment.merging(extra) { $1 })
    }

    /// Asks again and again until the answer has a line that begins with `word`; for recovery with backoff.
    func eventually(_ command: String, _ word: String, within limit: Duration = .seconds(20)) async throws {
        try await TestSupport.eventually("\(command) answers \(word)", within: limit) {
            try await ask(command).contains { $0.hasPrefix(word) }
        }
    }
}
