internal import COpenSSL

/// The keys that a KEK may be sealed to.
public enum RecoveryKeyType: String, Sendable, CaseIterable {
    case p256, p384, rsa3072, rsa4096
}

/// A public key as it was found: any RSA size from 3072 to 8192 bits is taken, not only those that are made here.
enum KeyAlgorithm: Sendable, Equatable {
    case rsa(bits: Int)
    case p256
    case p384

    /// Of the modulus, in bits. Above it a seal might not fit, and opening takes seconds.
    static let rsaSizes = 3072...8192

    /// `rsa3072`, `p384`.
    var name: String {
        switch self {
        case .rsa(let bits): "rsa\(bits)"
        case .p256: "p256"
        case .p384: "p384"
        }
    }
}

/// A new private key, for the caller to free. RSA keys take some seconds.
func newKey(_ type: RecoveryKeyType) throws(RecoveryError) -> OpaquePointer {
    let (algorithm, bits, curve): (String, Int32, String?) =
        switch type {
        case .p256: ("EC", 0, "P-256")
        case .p384: ("EC", 0, "P-384")
        case .rsa3072: ("RSA", 3072, nil)
        case .rsa4096: ("RSA", 4096, nil)
        }
    guard let context = EVP_PKEY_CTX_new_from_name(try library(), algorithm, nil) else {
        throw .library("EVP_PKEY_CTX_new_from_name")
    }
    defer { EVP_PKEY_CTX_free(context) }
    guard EVP_PKEY_keygen_init(context) == 1 else { throw .library("EVP_PKEY_keygen_init") }
    let isSet =
        curve.map { EVP_PKEY_CTX_set_group_name(context, $0) } ?? EVP_PKEY_CTX_set_rsa_keygen_bits(context, bits)
    var key: OpaquePointer?
    guard isSet == 1, EVP_PKEY_generate(context, &key) == 1, let key else { throw .library("EVP_PKEY_generate") }
    return key
}
