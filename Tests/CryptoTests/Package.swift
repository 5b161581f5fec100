internal import TestSupport

/// The package's own sources.
enum Package {
    /// The folder of Package.swift.
    static var root: String { String(#filePath.dropLast("/Tests/CryptoTests/Package.swift".count)) }

    /// All Swift files in a folder and those below it.
    static func swiftFiles(in folder: String) throws -> [String] {
        var files: [String] = []
        for name in try Files.list(folder) {
            let path = folder + "/" + name
            if name.hasSuffix(".swift") {
                files.append(path)
            } else if !name.contains(".") {
                files += try swiftFiles(in: path)
            }
        }
        return files
    }
}
