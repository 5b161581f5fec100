internal import Crypto

/// A TPMT_PUBLIC (part 2, 12.2.4) of the kinds that this backend meets: storage keys (ECC P-256 and P-384, RSA 2048 and
/// 3072), public keys that sign PCR policies, and sealed objects.
///
/// What parses encodes to the very same bytes, since the Name is a digest of them.
struct TPMPublic: Sendable, Hashable {
    /// The longest encoding that is looked at, in bytes; RSA-3072 with a policy of SHA-512 has 474.
    static let limit = 512

    /// What protects the children of a storage key; nil for other objects.
    enum Symmetric: Sendable, Hashable {
        /// AES-CFB with a key of 128, 192 or 256 bits.
        case aesCFB(bits: UInt16)
    }

    /// What depends on the type.
    enum Key: Sendable, Hashable {
        /// The coordinates as they are in the structure: a TPM may have left leading zeros out.
        case ecc(Symmetric?, EllipticCurve, x: [UInt8], y: [UInt8])
        /// An exponent of 0 means 65537.
        case rsa(Symmetric?, exponent: UInt32, modulus: [UInt8])
        /// A digest over its seed and its secret.
        case keyedHash(unique: [UInt8])
    }

    let nameAlgorithm: HashAlgorithm
    let attributes: ObjectAttributes
    /// Empty, or as long as a digest of `nameAlgorithm`.
    let authPolicy: [UInt8]
    let key: Key

    init(nameAlgorithm: HashAlgorithm, attributes: ObjectAttributes, authPolicy: [UInt8] = [], key: Key) {
        self.nameAlgorithm = nameAlgorithm
        self.attributes = attributes
        self.authPolicy = authPolicy
        self.key = key
    }

    /// nameAlg ‖ H(TPMT_PUBLIC) (part 1, "Names"): what a TPM knows the object by. Always computed here and never
    /// taken from a TPM's answer, which somebody on the bus may have written.
    ///
    /// - Throws: `library`.
    var name: [UInt8] {
        get throws(CryptoError) {
            try TPMWriter.bytes { $0.integer(nameAlgorithm.tpmAlgorithm) } + nameAlgorithm.hash(encoded)
        }
    }

    /// The point of an ECC key, with the coordinates at the curve's width; nil for other types.
    var point: ECPoint? {
        guard case .ecc(_, let curve, let x, let y) = key else { return nil }
        return ECPoint(curve, x: x, y: y)
    }

    /// The numbers of an RSA key; nil for other types.
    var rsaKey: RSAPublicKey? {
        guard case .rsa(_, let exponent, let modulus) = key else { return nil }
        let number = exponent == 0 ? 65537 : exponent
        return RSAPublicKey(modulus: modulus, exponent: TPMWriter.bytes { $0.integer(number) })
    }

    /// Why this is no key to seal under; nil when it is one. A TPM answers for what it does with such keys only: they
    /// never leave it, and decrypt nothing but what is in the TPM's own format.
    var storageRefusal: String? {
        let missing: [(ObjectAttributes, String)] = [
            (.fixedTPM, "fixedTPM"), (.fixedParent, "fixedParent"), (.restricted, "restricted"), (.decrypt, "decrypt"),
            // Else it wants a policy, which nobody here knows.
            (.userWithAuth, "userWithAuth"),
        ].filter { !attributes.contains($0.0) }
        if !missing.isEmpty { return "it is not \(missing.map(\.1).joined(separator: ", "))" }
        if attributes.contains(.sign) { return "it may sign" }
        switch key {
        case .keyedHash: return "it is a sealed object"
        case .ecc(nil, _, _, _), .rsa(nil, _, _): return "it protects its children with no cipher"
        case .ecc, .rsa: return nil
        }
    }

    /// The bits of the AES key that protects a storage key's children; nil for others.
    var symmetricBits: Int? {
        switch key {
        case .ecc(.aesCFB(let bits)?, _, _, _), .rsa(.aesCFB(let bits)?, _, _): Int(bits)
        default: nil
        }
    }
}
