internal import Crypto

/// The seed that a parent and whoever seals to it share: from it come the keys that protect the object (part 1, annexes
/// B.10.3 for RSA and C.6.3 for ECC).
struct ImportSeed: ~Copyable {
    /// As long as a digest of the parent's nameAlg.
    let secret: SecretBytes
    /// The seed for the parent: content of a TPM2B_ENCRYPTED_SECRET.
    let encrypted: [UInt8]

    private static let label = "DUPLICATE"

    /// A new seed, encrypted to `parent`.
    ///
    /// - Throws: `unsupported` when it is no RSA or ECC key; `cryptography`.
    init(to parent: TPMPublic) throws(TPMFormatError) {
        do throws(CryptoError) {
            if let point = parent.point {
                try self.init(to: point, by: ECDHKey(on: point.curve), hash: parent.nameAlgorithm)
                return
            }
            if let key = parent.rsaKey {
                try self.init(to: key, hash: parent.nameAlgorithm)
                return
            }
        } catch {
            throw TPMFormatError(error)
        }
        throw TPMFormatError(.unsupported, "the parent is neither an RSA nor an ECC key")
    }

    /// KDFe(Z, "DUPLICATE", ephemeral x, parent's x).
    ///
    /// Every coordinate has the curve's width here: TPMs and software that leave leading zeros out do not understand
    /// each other (tpm2-tss#1518, systemd#43396).
    init(
        to parent: ECPoint, by ephemeral: consuming ECDHKey, hash: HashAlgorithm
    ) throws(CryptoError) {
        let common = try ephemeral.agree(with: parent)
        let info = Array(ImportSeed.label.utf8) + [0] + ephemeral.point.x + parent.x
        secret = try SSKDF.derive(from: common, info: info, count: hash.size, hash: hash)
        encrypted = TPMWriter.bytes { writer in
            writer.sized(ephemeral.point.x)
            writer.sized(ephemeral.point.y)
        }
    }

    /// RSA-OAEP with the parent's nameAlg; the label's final zero byte is part of it.
    init(to parent: RSAPublicKey, hash: HashAlgorithm) throws(CryptoError) {
        let secret = try SecretBytes(randomCount: hash.size)
        let digest: RSAOAEP.Digest =
            switch hash {
            case .sha256: .sha256
            case .sha384: .sha384
            case .sha512: .sha512
            }
        encrypted = try secret.withUnsafeBytes { (bytes) throws(CryptoError) in
            try RSAOAEP.encrypt(bytes, to: parent, digest: digest, label: Array(ImportSeed.label.utf8) + [0])
        }
        self.secret = secret
    }

    /// Whether an encrypted seed has a form that `init` makes.
    static func isPlausible(_ encrypted: [UInt8]) -> Bool {
        if encrypted.count == 256 || encrypted.count == 384 { return true }
        return EllipticCurve.allCases.contains { curve in
            let size = TPMWriter.bytes { $0.integer(UInt16(curve.width)) }
            return encrypted.count == 2 * (2 + curve.width) && encrypted.starts(with: size)
                && encrypted.dropFirst(2 + curve.width).starts(with: size)
        }
    }
}
