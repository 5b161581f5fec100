/// Something that the operations server shows.
public struct Page: Sendable {
    /// What a page says when it is asked.
    public struct Answer: Sendable, Equatable {
        /// HTTP's status, such as 200 or 503.
        public var status: UInt32
        /// UTF-8.
        public var text: String

        /// An answer.
        public init(_ status: UInt32, _ text: String) {
            self.status = status
            self.text = text
        }
    }

    /// Plain text in UTF-8.
    public static let plainText = "text/plain; charset=utf-8"

    /// As in the request line, such as `/metrics`.
    public let path: String
    /// The value of Content-Type.
    public let contentType: String
    /// Called on the server's own thread, one request at a time; must not wait. Told whether the query has `verbose`.
    let answer: @Sendable (Bool) -> Answer

    /// A page.
    public init(
        _ path: String, contentType: String = plainText, _ answer: @escaping @Sendable (_ isVerbose: Bool) -> Answer
    ) {
        self.path = path
        self.contentType = contentType
        self.answer = answer
    }
}
