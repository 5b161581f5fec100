internal import COpenSSL

/// An RSA public key: modulus and exponent, big-endian.
public struct RSAPublicKey: Sendable, Equatable {
    /// Without leading zeros.
    public let modulus: [UInt8]
    /// Without leading zeros.
    public let exponent: [UInt8]

    /// A key of these numbers; leading zeros are dropped.
    ///
    /// - Returns: nil when they cannot be an RSA key: an even or too long modulus (more than 16384 bits), an exponent
    ///   that is even, 1, or longer than 64 bits.
    public init?(modulus: [UInt8], exponent: [UInt8]) {
        let modulus = Array(modulus.drop { $0 == 0 })
        let exponent = Array(exponent.drop { $0 == 0 })
        guard let lowest = modulus.last, lowest & 1 == 1, modulus.count <= 2048, let last = exponent.last,
            last & 1 == 1, exponent != [1], exponent.count <= 8
        else { return nil }
        self.modulus = modulus
        self.exponent = exponent
    }

    /// The length of the modulus in bits.
    public var bits: Int { modulus.count * 8 - (modulus.first?.leadingZeroBitCount ?? 0) }
}

/// RSAES-OAEP (PKCS#1 2.2: RFC 8017, section 7.1): encryption only, since the private key is somewhere else.
public enum RSAOAEP {
    /// The hash function, of OAEP and of its MGF1.
    public enum Digest: Sendable {
        case sha1
        case sha256
        case sha384
        case sha512

        fileprivate var name: StaticString {
            switch self {
            case .sha1: "SHA1"
            case .sha256: "SHA2-256"
            case .sha384: "SHA2-384"
            case .sha512: "SHA2-512"
            }
        }

        fileprivate var size: Int {
            switch self {
            case .sha1: 20
            case .sha256: 32
            case .sha384: 48
            case .sha512: 64
            }
        }
    }

    /// Encrypts; the result is as long as the modulus.
    ///
    /// - Parameters:
    ///   - plaintext: at most the modulus' bytes less two digests and 2.
    ///   - label: what the ciphertext is for; whoever decrypts has to name the same.
    /// - Throws: `invalidLength`, or `library`.
    public static func encrypt(
        _ plaintext: UnsafeRawBufferPointer, to key: RSAPublicKey, digest: Digest, label: [UInt8] = []
    ) throws(CryptoError) -> [UInt8] {
        guard plaintext.count <= key.modulus.count - 2 * digest.size - 2 else {
            throw CryptoError(.invalidLength, "RSAOAEP.encrypt", detail: "plaintext")
        }
        let library = try Library.shared()
        let publicKey = try PublicKey(key, library)
        guard let context = EVP_PKEY_CTX_new_from_pkey(library.context, publicKey.raw, nil) else {
            throw .library("EVP_PKEY_CTX_new_from_pkey")
        }
        defer { EVP_PKEY_CTX_free(context) }
        let parameters = try label.span.withUnsafeBytes { (label) throws(CryptoError) in
            try Parameters { (builder) throws(CryptoError) in
                try builder.text("pad-mode", "oaep")
                try builder.text("digest", digest.name)
                try builder.text("mgf1-digest", digest.name)
                if !label.isEmpty { try builder.octets("oaep-label", label) }
            }
        }
        guard EVP_PKEY_encrypt_init_ex(context, parameters.raw) == 1 else {
            throw .library("EVP_PKEY_encrypt_init_ex")
        }
        var ciphertext = [UInt8](repeating: 0, count: key.modulus.count)
        var written = ciphertext.count
        let input = plaintext.assumingMemoryBound(to: UInt8.self).baseAddress
        guard EVP_PKEY_encrypt(context, &ciphertext, &written, input, plaintext.count) == 1,
            written == ciphertext.count
        else { throw .library("EVP_PKEY_encrypt") }
        return ciphertext
    }
}

/// The EVP_PKEY of a public key.
private struct PublicKey: ~Copyable {
    let raw: OpaquePointer

    init(_ key: RSAPublicKey, _ library: Library) throws(CryptoError) {
        guard let context = EVP_PKEY_CTX_new_from_name(library.context, "RSA", nil) else {
            throw .library("EVP_PKEY_CTX_new_from_name")
        }
        defer { EVP_PKEY_CTX_free(context) }
        // As OSSL_PARAM wants unsigned integers: in the machine's byte order, little-endian on all that we run on.
        var modulus: [UInt8] = key.modulus.reversed()
        var exponent: [UInt8] = key.exponent.reversed()
        var raw: OpaquePointer?
        let made = modulus.withUnsafeMutableBytes { modulus in
            exponent.withUnsafeMutableBytes { exponent in
                "n".withCString { n in
                    "e".withCString { e in
                        var parameters = [
                            OSSL_PARAM_construct_BN(n, modulus.baseAddress, modulus.count),
                            OSSL_PARAM_construct_BN(e, exponent.baseAddress, exponent.count),
                            OSSL_PARAM_construct_end(),
                        ]
                        guard EVP_PKEY_fromdata_init(context) == 1 else { return false }
                        return EVP_PKEY_fromdata(context, &raw, trousseau_evp_pkey_public_key(), &parameters) == 1
                    }
                }
            }
        }
        guard made, let raw else { throw .library("EVP_PKEY_fromdata") }
        self.raw = raw
    }

    deinit { EVP_PKEY_free(raw) }
}
