internal import COpenSSL
internal import Crypto

/// Making certificates: of new keys, and those that only carry a key to libcrypto's CMS.
extension Certificate {
    /// A certificate for a key, not signed yet: without a name, and without an end (RFC 5280, 4.1.2.5), since it is for
    /// the day when all else is lost.
    static func carrying(_ key: PublicKey, keyIdentifier: [UInt8]) throws(RecoveryError) -> Certificate {
        let certificate = try Certificate()
        let raw = certificate.raw
        guard X509_set_version(raw, 2) == 1, X509_set_pubkey(raw, key.raw) == 1 else { throw .library("X509_set") }
        // A day back, for clocks that differ.
        guard X509_gmtime_adj(X509_getm_notBefore(raw), -86400) != nil,
            ASN1_TIME_set_string(X509_getm_notAfter(raw), "99991231235959Z") == 1
        else { throw .library("ASN1_TIME_set_string") }
        guard let octets = ASN1_OCTET_STRING_new() else { throw .library("ASN1_OCTET_STRING_new") }
        defer { ASN1_OCTET_STRING_free(octets) }
        guard ASN1_OCTET_STRING_set(octets, keyIdentifier, Int32(clamping: keyIdentifier.count)) == 1,
            X509_add1_ext_i2d(raw, NID_subject_key_identifier, octets, 0, 0) == 1
        else { throw .library("X509_add1_ext_i2d") }
        return certificate
    }

    /// 16 random bytes.
    borrowing func setSerialNumber() throws(RecoveryError) {
        let random: [UInt8]
        do throws(CryptoError) { random = try Random.bytes(16) } catch { throw RecoveryError(error) }
        guard let number = BN_bin2bn(random, Int32(random.count), nil) else { throw .library("BN_bin2bn") }
        defer { BN_free(number) }
        guard BN_to_ASN1_INTEGER(number, X509_get_serialNumber(raw)) != nil else {
            throw .library("BN_to_ASN1_INTEGER")
        }
    }

    /// Adds an extension in OpenSSL's spelling.
    borrowing func add(_ nid: Int32, _ value: String) throws(RecoveryError) {
        guard let made = X509V3_EXT_conf_nid(nil, nil, nid, value) else { throw .library("X509V3_EXT_conf_nid") }
        defer { X509_EXTENSION_free(made) }
        guard X509_add_ext(raw, made, -1) == 1 else { throw .library("X509_add_ext") }
    }

    /// Signs it with SHA-256.
    borrowing func sign(with key: PublicKey) throws(RecoveryError) {
        guard let sha256 = EVP_MD_fetch(try library(), "SHA2-256", nil) else { throw .library("EVP_MD_fetch") }
        defer { EVP_MD_free(sha256) }
        guard X509_sign(raw, key.raw, sha256) > 0 else { throw .library("X509_sign") }
    }
}
