internal import Crypto

/// The public name of a KEK: 32 bytes that the KEK derives under the label "id".
public struct KEKID: Sendable, Hashable {
    /// 32.
    public static let size = 32
    /// 16: as many bytes of it stand in each ciphertext.
    public static let prefixSize = 16

    /// All 32 of them.
    public let bytes: [UInt8]

    /// Nil unless there are 32 bytes.
    public init?(_ bytes: [UInt8]) {
        guard bytes.count == KEKID.size else { return nil }
        self.bytes = bytes
    }

    /// The first 16 bytes.
    public var prefix: [UInt8] { Array(bytes.prefix(KEKID.prefixSize)) }
}

extension KEKID: CustomStringConvertible {
    /// The first 16 base32 characters (80 bits), as in a key_id.
    public var description: String { Base32.encode(Array(bytes.prefix(10))) }
}
