internal import TestSupport

/// PKCS#11 modules of the distribution, wherever it puts them.
enum PKCS11Library {
    /// The module's path.
    ///
    /// - Throws: `TestError` naming the package that has it.
    static func path(_ name: String, package: String) throws -> String {
        let folders = ["/usr/lib", "/usr/lib64", "/usr/local/lib"]
        let nested = folders.flatMap { folder in ((try? Files.list(folder)) ?? []).map { "\(folder)/\($0)" } }
        for folder in folders + nested {
            for path in ["\(folder)/\(name)", "\(folder)/pkcs11/\(name)"] where Files.exists(path) { return path }
        }
        throw TestError("\(name) is missing: install \(package)")
    }
}
