/// What a method says to a request.
enum Reply: ~Copyable {
    case message(ByteBuffer)
    /// The text goes to the client: at most `maximumText` bytes of it.
    case failure(StatusCode, String)
    /// Not at once: called on Swift's concurrency with the call's deadline. It must be back by then.
    case later(@Sendable (ContinuousClock.Instant) async -> Reply)

    /// In bytes. kube-apiserver logs the text with every failed read.
    static let maximumText = 1024

    /// `text`, cut at a character's end.
    static func bounded(_ text: String) -> String {
        guard text.utf8.count > maximumText else { return text }
        var end = text.utf8.index(text.utf8.startIndex, offsetBy: maximumText)
        while String.Index(end, within: text.unicodeScalars) == nil { end = text.utf8.index(before: end) }
        return String(text[..<end])
    }
}
