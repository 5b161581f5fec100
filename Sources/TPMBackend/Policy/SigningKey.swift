internal import COpenSSL
internal import Crypto

/// The public key that signs which states a seal may open in: RSA of 2048 or 3072 bits, P-256 or P-384.
final class SigningKey: Sendable {
    // An EVP_PKEY is reference-counted and not changed here; libcrypto uses it from several threads.
    private nonisolated(unsafe) let raw: OpaquePointer
    /// What TPM2_LoadExternal takes. Its attributes are those with which systemd and tpm2-tools load such a key, so that
    /// they give it the same Name.
    let publicArea: TPMPublic
    /// nameAlg ‖ SHA-256, 34 bytes.
    let name: [UInt8]
    /// What systemd calls `pkfp`: SHA-256 of the bare key in DER (RSA: PKCS#1), or of its uncompressed point.
    let fingerprint: [UInt8]

    private static let attributes: ObjectAttributes = [.userWithAuth, .decrypt, .sign]
    private static let wanted = "RSA of 2048 or 3072 bits, P-256 or P-384, as PEM (BEGIN PUBLIC KEY)"

    /// - Parameters:
    ///   - pem: one `PUBLIC KEY` in PEM.
    ///   - path: for messages.
    /// - Throws: `file`, `cryptography`.
    init(pem: [UInt8], path: String) throws(PolicyError) {
        let raw = try SigningKey.read(pem, path)
        do throws(PolicyError) {
            publicArea = TPMPublic(
                nameAlgorithm: .sha256, attributes: SigningKey.attributes, key: try SigningKey.key(of: raw, path))
            do throws(CryptoError) { name = try publicArea.name } catch { throw PolicyError(error) }
            fingerprint = try SigningKey.fingerprint(of: raw)
        } catch {
            EVP_PKEY_free(raw)
            throw error
        }
        self.raw = raw
    }

    deinit { EVP_PKEY_free(raw) }

    /// The signature over SHA-256(message), in the TPM's form.
    ///
    /// - Returns: nil when this key has not made it. Asked before the TPM is, whose answer would be a bare error code.
    /// - Throws: `cryptography`.
    func verified(_ signature: [UInt8], of message: [UInt8]) throws(PolicyError) -> PolicySignature? {
        guard let context = EVP_MD_CTX_new() else { throw .library("EVP_MD_CTX_new") }
        defer { EVP_MD_CTX_free(context) }
        guard EVP_DigestVerifyInit_ex(context, nil, "SHA2-256", try library(), nil, raw, nil) == 1 else {
            throw .library("EVP_DigestVerifyInit_ex")
        }
        guard EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1 else {
            // Wrong, or not in the form of a signature: one as bad as the other.
            ERR_clear_error()
            return nil
        }
        guard let point = publicArea.point else { return PolicySignature(rsa: signature) }
        return PolicySignature(ecdsa: signature, width: point.curve.width)
    }

    private static func read(_ pem: [UInt8], _ path: String) throws(PolicyError) -> OpaquePointer {
        let library = try library()
        let raw = pem.withUnsafeBytes { bytes -> OpaquePointer? in
            guard let bio = BIO_new_mem_buf(bytes.baseAddress, CInt(clamping: bytes.count)) else { return nil }
            defer { BIO_free(bio) }
            // A passphrase is never asked for: libcrypto would ask at the terminal by itself.
            return PEM_read_bio_PUBKEY_ex(bio, nil, { _, _, _, _ in -1 }, nil, library, nil)
        }
        guard let raw else {
            ERR_clear_error()
            throw PolicyError(.file, "\(path): not a public key", hint: "it should be \(wanted)")
        }
        return raw
    }

    private static func key(of raw: OpaquePointer, _ path: String) throws(PolicyError) -> TPMPublic.Key {
        if EVP_PKEY_is_a(raw, "RSA") == 1 {
            let bits = Int(EVP_PKEY_get_bits(raw))
            let exponent = try number(raw, OSSL_PKEY_PARAM_RSA_E, count: 4, path)
                .reduce(0) { $0 << 8 | UInt32($1) }
            guard bits == 2048 || bits == 3072 else { throw refusal("an RSA key of \(bits) bits", path) }
            // TPMs know 65537 as 0.
            return .rsa(
                nil, exponent: exponent == 65537 ? 0 : exponent,
                modulus: try number(raw, OSSL_PKEY_PARAM_RSA_N, count: bits / 8, path))
        }
        guard EVP_PKEY_is_a(raw, "EC") == 1 else { throw refusal("neither an RSA nor an EC key", path) }
        var name = [CChar](repeating: 0, count: 64)
        guard EVP_PKEY_get_group_name(raw, &name, name.count, nil) == 1 else {
            ERR_clear_error()
            throw refusal("an EC key without a named curve", path)
        }
        let curve: EllipticCurve
        switch String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self) {
        case SN_X9_62_prime256v1: curve = .p256
        case SN_secp384r1: curve = .p384
        case let other: throw refusal("an EC key on \(other)", path)
        }
        return .ecc(
            nil, curve, x: try number(raw, OSSL_PKEY_PARAM_EC_PUB_X, count: curve.width, path),
            y: try number(raw, OSSL_PKEY_PARAM_EC_PUB_Y, count: curve.width, path))
    }

    /// A number of the key, big-endian, filled up to `count` bytes.
    private static func number(
        _ key: OpaquePointer, _ parameter: String, count: Int, _ path: String
    ) throws(PolicyError) -> [UInt8] {
        var number: OpaquePointer?
        guard EVP_PKEY_get_bn_param(key, parameter, &number) == 1, let number else {
            throw .library("EVP_PKEY_get_bn_param")
        }
        defer { BN_free(number) }
        var bytes = [UInt8](repeating: 0, count: count)
        guard BN_bn2binpad(number, &bytes, CInt(count)) == count else {
            ERR_clear_error()
            throw refusal("a key with a number of more than \(count) bytes", path)
        }
        return bytes
    }

    private static func fingerprint(of key: OpaquePointer) throws(PolicyError) -> [UInt8] {
        var encoding: UnsafeMutablePointer<UInt8>?
        let count = i2d_PublicKey(key, &encoding)
        guard count > 0, let encoding else { throw .library("i2d_PublicKey") }
        defer { trousseau_free(encoding) }
        return try policyHash(Array(UnsafeBufferPointer(start: encoding, count: Int(count))))
    }

    private static func refusal(_ what: String, _ path: String) -> PolicyError {
        PolicyError(.file, "\(path): \(what) is not taken", hint: "it should be \(wanted)")
    }
}

/// The library context of the module Crypto.
private func library() throws(PolicyError) -> OpaquePointer {
    do throws(CryptoError) { return try LibraryContext.shared() } catch { throw PolicyError(error) }
}

extension PolicyError {
    /// The failure of a libcrypto call, with the thread's error queue drained into the message.
    fileprivate static func library(_ call: String) -> PolicyError { PolicyError(.library(call)) }
}
