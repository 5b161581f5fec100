/// An `import` in a Swift file.
struct ImportDeclaration: Equatable {
    /// Counted from 1.
    let line: Int
    /// `@testable`, `@_exported` and the like.
    let attributes: [String]
    /// `public`, `internal`, …; nil when it is left to the default.
    let access: String?
    /// The top-level module: of `import struct A.B`, A.
    let module: String

    private static let accessLevels: Set<String> = ["public", "package", "internal", "fileprivate", "private"]
    private static let kinds: Set<String> = [
        "typealias", "struct", "class", "enum", "protocol", "let", "var", "func", "actor",
    ]

    /// All imports of a file, except what only looks like one in a comment or in a text of several lines.
    static func all(in source: String) -> [ImportDeclaration] {
        var declarations: [ImportDeclaration] = []
        var commentDepth = 0
        var inText = false
        for (index, line) in source.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            var code = ""
            var rest = line[...]
            while !rest.isEmpty {
                if inText {
                    guard let end = rest.firstRange(of: "\"\"\"") else { break }
                    inText = false
                    rest = rest[end.upperBound...]
                } else if rest.hasPrefix("/*") {
                    commentDepth += 1
                    rest = rest.dropFirst(2)
                } else if commentDepth > 0 {
                    let ends = rest.hasPrefix("*/")
                    if ends { commentDepth -= 1 }
                    rest = rest.dropFirst(ends ? 2 : 1)
                } else if rest.hasPrefix("//") {
                    break
                } else if rest.hasPrefix("\"\"\"") {
                    inText = true
                    rest = rest.dropFirst(3)
                } else {
                    code.append(rest.removeFirst())
                }
            }
            for statement in code.split(separator: ";") {
                if let declaration = ImportDeclaration(statement, line: index + 1) { declarations.append(declaration) }
            }
        }
        return declarations
    }

    private init?(_ statement: Substring, line: Int) {
        var words = statement.split { $0 == " " || $0 == "\t" }.map(String.init)[...]
        var attributes: [String] = []
        var access: String?
        while let word = words.first, word != "import" {
            if word.hasPrefix("@") {
                attributes.append(word)
            } else if ImportDeclaration.accessLevels.contains(word), access == nil {
                access = word
            } else {
                return nil
            }
            words.removeFirst()
        }
        guard words.popFirst() == "import" else { return nil }
        if let kind = words.first, ImportDeclaration.kinds.contains(kind) { words.removeFirst() }
        guard let path = words.first else { return nil }
        self.init(line: line, attributes: attributes, access: access, module: String(path.prefix { $0 != "." }))
    }

    init(line: Int, attributes: [String] = [], access: String?, module: String) {
        self.line = line
        self.attributes = attributes
        self.access = access
        self.module = module
    }
}
