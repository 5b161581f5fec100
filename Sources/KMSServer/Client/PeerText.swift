internal import Crypto

/// Text that a server sent, made fit for one line of a terminal.
enum PeerText {
    /// In bytes; what is longer is cut.
    static let limit = 1024

    /// Control characters, direction marks and their like as escapes; bytes that are no UTF-8 as U+FFFD.
    static func clean(_ bytes: some Collection<UInt8>) -> String {
        let text = PrintableText.escaped(String(decoding: bytes.prefix(limit), as: UTF8.self))
        return bytes.count > limit ? text + "…" : text
    }

    /// The same in quotes.
    static func quoted(_ text: String) -> String { "\"\(clean(Array(text.utf8)))\"" }
}
