internal import COpenSSL
internal import Crypto
internal import Keyring

/// The public half of a recovery key, checked.
final class PublicKey: Sendable {
    // An EVP_PKEY is reference-counted and not changed after it was checked; libcrypto uses it from several threads.
    nonisolated(unsafe) let raw: OpaquePointer
    let algorithm: KeyAlgorithm
    /// SHA-256 of the SubjectPublicKeyInfo in DER, with an uncompressed point.
    let digest: [UInt8]
    /// SHA-1 of the key's bits, as RFC 5280, 4.2.1.2 (1), has it: what certificates usually say.
    let defaultKeyIdentifier: [UInt8]

    /// Takes the key over, also when it throws.
    ///
    /// - Throws: `keyRefused`, `cryptography`.
    init(taking raw: OpaquePointer) throws(RecoveryError) {
        do throws(RecoveryError) {
            algorithm = try PublicKey.algorithm(of: raw)
            try PublicKey.check(raw)
            if algorithm == .p256 || algorithm == .p384 {
                // One encoding of one key, so that it is one recipient however its file spells it.
                guard
                    EVP_PKEY_set_utf8_string_param(raw, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, "uncompressed") == 1
                else { throw .library("EVP_PKEY_set_utf8_string_param") }
            }
            digest = try PublicKey.digest(of: raw)
            defaultKeyIdentifier = try PublicKey.keyIdentifier(of: raw)
        } catch {
            EVP_PKEY_free(raw)
            throw error
        }
        self.raw = raw
    }

    deinit { EVP_PKEY_free(raw) }

    private static func algorithm(of key: OpaquePointer) throws(RecoveryError) -> KeyAlgorithm {
        let wanted = "make one of RSA 3072 to 8192 bits, P-256 or P-384: trousseau recovery-key new"
        if EVP_PKEY_is_a(key, "RSA") == 1 {
            let bits = Int(EVP_PKEY_get_bits(key))
            guard KeyAlgorithm.rsaSizes ~= bits else {
                throw RecoveryError(.keyRefused, "an RSA key of \(bits) bits is not taken", hint: wanted)
            }
            return .rsa(bits: bits)
        }
        guard EVP_PKEY_is_a(key, "EC") == 1 else {
            let name = EVP_PKEY_get0_type_name(key).map { String(cString: $0) } ?? "unknown"
            throw RecoveryError(.keyRefused, "a key of type \(name) is not taken", hint: wanted)
        }
        var isExplicit: Int32 = 0
        var name = [CChar](repeating: 0, count: 64)
        guard
            EVP_PKEY_get_int_param(key, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, &isExplicit) != 1
                || isExplicit == 0, EVP_PKEY_get_group_name(key, &name, name.count, nil) == 1
        else {
            ERR_clear_error()
            throw RecoveryError(.keyRefused, "an EC key without a named curve is not taken", hint: wanted)
        }
        switch String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self) {
        case SN_X9_62_prime256v1: return .p256
        case SN_secp384r1: return .p384
        case let curve: throw RecoveryError(.keyRefused, "an EC key on \(curve) is not taken", hint: wanted)
        }
    }

    /// A point off its curve, an even modulus.
    private static func check(_ key: OpaquePointer) throws(RecoveryError) {
        guard let context = EVP_PKEY_CTX_new_from_pkey(try library(), key, nil) else {
            throw .library("EVP_PKEY_CTX_new_from_pkey")
        }
        defer { EVP_PKEY_CTX_free(context) }
        guard EVP_PKEY_public_check(context) == 1 else {
            let reason = CryptoError.library("EVP_PKEY_public_check")
            throw RecoveryError(.keyRefused, "the key is not a valid one: \(reason)", hint: "export it again")
        }
    }

    private static func digest(of key: OpaquePointer) throws(RecoveryError) -> [UInt8] {
        var encoding: UnsafeMutablePointer<UInt8>?
        let count = i2d_PUBKEY(key, &encoding)
        guard count > 0, let encoding else { throw .library("i2d_PUBKEY") }
        defer { trousseau_free(encoding) }
        return try hash(Array(UnsafeBufferPointer(start: encoding, count: Int(count))))
    }

    private static func keyIdentifier(of key: OpaquePointer) throws(RecoveryError) -> [UInt8] {
        let certificate = try Certificate()
        guard X509_set_pubkey(certificate.raw, key) == 1 else { throw .library("X509_set_pubkey") }
        guard let sha1 = EVP_MD_fetch(try library(), "SHA1", nil) else { throw .library("EVP_MD_fetch") }
        defer { EVP_MD_free(sha1) }
        var identifier = [UInt8](repeating: 0, count: 20)
        var written: UInt32 = 0
        guard X509_pubkey_digest(certificate.raw, sha1, &identifier, &written) == 1, written == 20 else {
            throw .library("X509_pubkey_digest")
        }
        return identifier
    }
}

/// The library context of the module Crypto.
func library() throws(RecoveryError) -> OpaquePointer {
    do throws(CryptoError) { return try LibraryContext.shared() } catch { throw RecoveryError(error) }
}

/// SHA-256.
func hash(_ bytes: [UInt8]) throws(RecoveryError) -> [UInt8] {
    do throws(CryptoError) { return try SHA256.hash(bytes) } catch { throw RecoveryError(error) }
}
