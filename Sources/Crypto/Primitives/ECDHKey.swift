internal import COpenSSL

/// A private key on a curve, made for one key agreement; it never leaves libcrypto, which wipes it.
public struct ECDHKey: ~Copyable {
    private let raw: OpaquePointer
    /// Its public half.
    public let point: ECPoint

    /// A new key.
    ///
    /// - Throws: `library`.
    public init(on curve: EllipticCurve) throws(CryptoError) {
        guard let context = EVP_PKEY_CTX_new_from_name(try Library.shared().context, "EC", nil) else {
            throw .library("EVP_PKEY_CTX_new_from_name")
        }
        defer { EVP_PKEY_CTX_free(context) }
        var raw: OpaquePointer?
        guard EVP_PKEY_keygen_init(context) == 1, EVP_PKEY_CTX_set_group_name(context, "\(curve.name)") == 1,
            EVP_PKEY_generate(context, &raw) == 1, let raw
        else { throw .library("EVP_PKEY_generate") }
        do throws(CryptoError) {
            point = try ECDHKey.point(of: raw, curve)
        } catch {
            EVP_PKEY_free(raw)
            throw error
        }
        self.raw = raw
    }

    deinit { EVP_PKEY_free(raw) }

    /// The x coordinate of the common point (SP 800-56A, 5.7.1.2), as wide as the curve's.
    ///
    /// - Throws: `library` when the peer is not on the curve.
    public borrowing func agree(with peer: ECPoint) throws(CryptoError) -> SecretBytes {
        let library = try Library.shared()
        let publicKey = try ECPublicKey(peer, library)
        guard let context = EVP_PKEY_CTX_new_from_pkey(library.context, raw, nil) else {
            throw .library("EVP_PKEY_CTX_new_from_pkey")
        }
        defer { EVP_PKEY_CTX_free(context) }
        guard EVP_PKEY_derive_init(context) == 1, EVP_PKEY_derive_set_peer(context, publicKey.raw) == 1 else {
            throw .library("EVP_PKEY_derive_set_peer")
        }
        return try SecretBytes(count: peer.curve.width) { (secret) throws(CryptoError) in
            var written = secret.count
            let output = secret.assumingMemoryBound(to: UInt8.self).baseAddress
            guard EVP_PKEY_derive(context, output, &written) == 1, written == secret.count else {
                throw .library("EVP_PKEY_derive")
            }
        }
    }

    private static func point(of key: OpaquePointer, _ curve: EllipticCurve) throws(CryptoError) -> ECPoint {
        var encoding = [UInt8](repeating: 0, count: 1 + 2 * curve.width)
        var written = 0
        guard
            EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, &encoding, encoding.count, &written) == 1,
            written == encoding.count, encoding[0] == 4,
            let point = ECPoint(
                curve, x: Array(encoding[1...curve.width]), y: Array(encoding[(1 + curve.width)...]))
        else { throw .library("EVP_PKEY_get_octet_string_param") }
        return point
    }
}

/// The EVP_PKEY of a point; libcrypto refuses one off its curve.
private struct ECPublicKey: ~Copyable {
    let raw: OpaquePointer

    init(_ point: ECPoint, _ library: Library) throws(CryptoError) {
        guard let context = EVP_PKEY_CTX_new_from_name(library.context, "EC", nil) else {
            throw .library("EVP_PKEY_CTX_new_from_name")
        }
        defer { EVP_PKEY_CTX_free(context) }
        let parameters = try point.uncompressed.span.withUnsafeBytes { (encoding) throws(CryptoError) in
            try Parameters { (builder) throws(CryptoError) in
                try builder.text("group", point.curve.name)
                try builder.octets("pub", encoding)
            }
        }
        var raw: OpaquePointer?
        guard EVP_PKEY_fromdata_init(context) == 1,
            EVP_PKEY_fromdata(context, &raw, trousseau_evp_pkey_public_key(), parameters.raw) == 1, let raw
        else { throw .library("EVP_PKEY_fromdata") }
        self.raw = raw
    }

    deinit { EVP_PKEY_free(raw) }
}
