/// The package's own sources, for tests about them.
public enum PackageSources {
    /// The folder of Package.swift.
    public static var root: String { String(#filePath.dropLast("/Tests/TestSupport/PackageSources.swift".count)) }

    /// All Swift files in a folder and below it, as absolute paths, sorted by folder.
    public static func swiftFiles(in folder: String) throws(TestError) -> [String] {
        var files: [String] = []
        for name in try Files.list(folder) {
            let path = folder + "/" + name
            if name.hasSuffix(".swift") {
                files.append(path)
            } else if Files.isDirectory(path) {
                files += try swiftFiles(in: path)
            }
        }
        return files
    }
}
