/// One thing that is wrong with a configuration.
public struct Diagnostic: Sendable, Hashable {
    /// The file as the operator named it.
    public let file: String
    /// From 1; 0 where the file could not even be read.
    public let line: Int
    /// `backends[0].pkcs11.module`; empty where the whole file is meant.
    public let key: String
    /// Lower case, without a final period. Never holds the value of a key that might be a secret.
    public let reason: String
    /// What to write instead.
    public let hint: String?

    /// Creates a diagnostic for `line` (from 1) of `file`.
    public init(file: String, line: Int, key: String, reason: String, hint: String? = nil) {
        self.file = file
        self.line = line
        self.key = key
        self.reason = reason
        self.hint = hint
    }
}

extension Diagnostic: CustomStringConvertible {
    /// `file:line: key: reason`.
    public var description: String {
        ([line == 0 ? file : "\(file):\(line)"] + (key.isEmpty ? [reason] : [key, reason])).joined(separator: ": ")
    }
}

/// Why a configuration was refused: everything that is wrong with it, in the order of its lines.
public struct ConfigurationError: Error, Sendable, Equatable {
    /// At least one, sorted by line.
    public let diagnostics: [Diagnostic]

    init(_ diagnostics: [Diagnostic]) {
        // Stable: two findings of one line stay in the order in which they were found.
        self.diagnostics = diagnostics.enumerated()
            .sorted { ($0.element.line, $0.offset) < ($1.element.line, $1.offset) }
            .map(\.element)
    }
}

/// Collects what is wrong while a configuration is read, so that all of it can be said at once.
final class Diagnosis {
    let file: String
    private(set) var diagnostics: [Diagnostic] = []

    init(file: String) {
        self.file = file
    }

    func add(_ line: Int, _ key: String, _ reason: String, hint: String? = nil) {
        diagnostics.append(Diagnostic(file: file, line: line, key: key, reason: reason, hint: hint))
    }
}
