internal import COpenSSL

/// A hash function of the SHA-2 family (FIPS 180-4), for protocols that let a peer choose one.
public enum HashAlgorithm: Sendable, Hashable, CaseIterable {
    case sha256
    case sha384
    case sha512

    /// The length of a digest in bytes: 32, 48 or 64.
    public var size: Int {
        switch self {
        case .sha256: 32
        case .sha384: 48
        case .sha512: 64
        }
    }

    /// libcrypto's name.
    var name: StaticString {
        switch self {
        case .sha256: "SHA2-256"
        case .sha384: "SHA2-384"
        case .sha512: "SHA2-512"
        }
    }

    /// The digest of `message`, which may be a secret: libcrypto wipes its state.
    public func hash(_ message: UnsafeRawBufferPointer) throws(CryptoError) -> [UInt8] {
        guard let algorithm = EVP_MD_fetch(try Library.shared().context, "\(name)", nil) else {
            throw .library("EVP_MD_fetch")
        }
        defer { EVP_MD_free(algorithm) }
        var digest = [UInt8](repeating: 0, count: size)
        var written: UInt32 = 0
        guard EVP_Digest(message.baseAddress, message.count, &digest, &written, algorithm, nil) == 1,
            written == size
        else { throw .library("EVP_Digest") }
        return digest
    }

    /// The digest of `message`.
    public func hash(_ message: [UInt8]) throws(CryptoError) -> [UInt8] {
        try message.span.withUnsafeBytes { (bytes) throws(CryptoError) in try hash(bytes) }
    }
}
