/// Where a module's log lines go. The composition root decides; nothing below it writes to a descriptor.
///
/// Never pass key material, PINs or plaintext: what is logged is kept.
public struct Log: Sendable {
    /// How much an operator should care.
    public enum Level: Int, Sendable, Comparable {
        case debug, info, warning, error

        /// From debug to error.
        public static func < (a: Level, b: Level) -> Bool { a.rawValue < b.rawValue }
    }

    private let sink: @Sendable (Level, String, [(String, String)]) -> Void

    /// A log that hands each line (level, message, fields in order) to `sink`, from any thread.
    public init(_ sink: @escaping @Sendable (Level, String, [(String, String)]) -> Void) {
        self.sink = sink
    }

    /// A log that forgets.
    public static let none = Log { _, _, _ in }

    /// Writes one line; `fields` are name and value, in the order they should be read.
    public func callAsFunction(_ level: Level, _ message: String, _ fields: (String, String)...) {
        sink(level, message, fields)
    }
}
