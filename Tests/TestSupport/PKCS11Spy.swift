/// OpenSC's pkcs11-spy: a PKCS#11 module that passes every call on to another one, and writes it down.
public struct PKCS11Spy: Sendable {
    /// The spy's library, wherever the distribution puts it.
    public let module: String
    /// What the spied process needs in its environment.
    public let environment: [String: String]
    private let file: String

    /// A spy in front of `module` that writes to `file`, and appends to it when it is there.
    public init(on module: String, file: String) throws(TestError) {
        self.module = try PKCS11Spy.library()
        self.file = file
        environment = ["PKCS11SPY": module, "PKCS11SPY_OUTPUT": file]
    }

    /// How often a function was called.
    public func calls(_ function: String) throws(TestError) -> Int {
        try lines().filter { $0.hasSuffix(": \(function)") }.count
    }

    /// How many calls there were in all.
    public func allCalls() throws(TestError) -> Int {
        try lines().filter { $0.contains(": C_") }.count
    }

    private func lines() throws(TestError) -> [Substring] {
        Files.exists(file) ? try Files.readText(file).split(separator: "\n") : []
    }

    private static func library() throws(TestError) -> String {
        let folders = ["/usr/lib", "/usr/lib64", "/usr/local/lib"]
        var nested: [String] = []
        for folder in folders where Files.isDirectory(folder) {
            nested += try Files.list(folder).map { "\(folder)/\($0)" }
        }
        for folder in folders + nested {
            for name in ["/pkcs11-spy.so", "/pkcs11/pkcs11-spy.so"] where Files.exists(folder + name) {
                return folder + name
            }
        }
        throw TestError("pkcs11-spy.so is missing: install opensc-pkcs11")
    }
}
