internal import COpenSSL
public import Crypto
public import Keyring

/// A new recovery key: the private half as PEM for a safe, the certificate as PEM for the nodes.
public struct RecoveryKeyPair: ~Copyable {
    /// PKCS#8 in PEM, encrypted when there was a passphrase.
    public let privateKey: SecretBytes
    /// X.509 in PEM, self-signed.
    public let certificate: [UInt8]
    /// As it will stand in records.
    public let recipient: Recipient

    /// 12 bytes.
    public static let minimumPassphraseSize = 12
    /// 512 bytes.
    public static let maximumPassphraseSize = Passphrase.maximumSize
    /// Of PBKDF2 with HMAC-SHA256: a third of a second. Not scrypt, which needs memory that a process with locked pages
    /// may not get, and which not every tool reads.
    static let iterations: Int32 = 1_000_000

    /// Makes a pair whose private key is encrypted. RSA keys take some seconds.
    ///
    /// - Parameters:
    ///   - passphrase: 12 to 512 bytes.
    ///   - commonName: of the certificate's subject, 1 to 64 characters.
    /// - Throws: `passphrase` for one that is too short or too long; `cryptography`.
    public static func generate(
        _ type: RecoveryKeyType, passphrase: borrowing SecretBytes, commonName: String
    ) throws(RecoveryError) -> RecoveryKeyPair {
        guard minimumPassphraseSize...maximumPassphraseSize ~= passphrase.count else {
            throw RecoveryError(
                .passphrase,
                "the passphrase has \(passphrase.count) bytes, not \(minimumPassphraseSize) to "
                    + "\(maximumPassphraseSize)", hint: "take several random words")
        }
        return try passphrase.withUnsafeBytes { (bytes) throws(RecoveryError) in
            try RecoveryKeyPair(type, bytes, commonName)
        }
    }

    /// Makes a pair whose private key is in clear: whoever reads its file opens every KEK.
    ///
    /// - Throws: `cryptography`.
    public static func generateUnencrypted(
        _ type: RecoveryKeyType, commonName: String
    ) throws(RecoveryError) -> RecoveryKeyPair {
        try RecoveryKeyPair(type, nil, commonName)
    }

    private init(
        _ type: RecoveryKeyType, _ passphrase: UnsafeRawBufferPointer?, _ commonName: String
    ) throws(RecoveryError) {
        let key = try PublicKey(taking: try newKey(type))
        let certificate = try RecoveryKeyPair.certificate(for: key, commonName: commonName)
        let recipient = try RecipientKey(pem: certificate).recipient()
        let privateKey = try RecoveryKeyPair.encode(key, passphrase)
        self.recipient = recipient
        self.certificate = certificate
        self.privateKey = privateKey
    }

    private static func encode(
        _ key: PublicKey, _ passphrase: UnsafeRawBufferPointer?
    ) throws(RecoveryError) -> SecretBytes {
        guard let clear = EVP_PKEY2PKCS8(key.raw) else { throw .library("EVP_PKEY2PKCS8") }
        defer { PKCS8_PRIV_KEY_INFO_free(clear) }
        let output = try MemoryBIO(secret: true)
        if let passphrase {
            let encrypted = try encrypt(clear, passphrase)
            defer { X509_SIG_free(encrypted) }
            guard PEM_write_bio_PKCS8(output.raw, encrypted) == 1 else { throw .library("PEM_write_bio_PKCS8") }
        } else {
            guard PEM_write_bio_PKCS8_PRIV_KEY_INFO(output.raw, clear) == 1 else {
                throw .library("PEM_write_bio_PKCS8_PRIV_KEY_INFO")
            }
        }
        do throws(CryptoError) {
            return try output.withWritten { (bytes) throws(CryptoError) in try SecretBytes(copying: bytes) }
        } catch {
            throw RecoveryError(error)
        }
    }

    /// PBES2 with PBKDF2, HMAC-SHA256 and AES-256-CBC (RFC 8018).
    private static func encrypt(
        _ clear: OpaquePointer, _ passphrase: UnsafeRawBufferPointer
    ) throws(RecoveryError) -> OpaquePointer {
        let context = try library()
        var salt: [UInt8]
        var iv: [UInt8]
        do throws(CryptoError) {
            salt = try Random.bytes(16)
            iv = try Random.bytes(16)
        } catch {
            throw RecoveryError(error)
        }
        guard let cipher = EVP_CIPHER_fetch(context, "AES-256-CBC", nil) else { throw .library("EVP_CIPHER_fetch") }
        defer { EVP_CIPHER_free(cipher) }
        guard
            let scheme = PKCS5_pbe2_set_iv_ex(
                cipher, iterations, &salt, Int32(salt.count), &iv, NID_hmacWithSHA256, context)
        else { throw .library("PKCS5_pbe2_set_iv_ex") }
        let text = passphrase.assumingMemoryBound(to: CChar.self).baseAddress
        // Takes the scheme over when it succeeds.
        guard let encrypted = PKCS8_set0_pbe_ex(text, Int32(passphrase.count), clear, scheme, context, nil) else {
            X509_ALGOR_free(scheme)
            throw .library("PKCS8_set0_pbe_ex")
        }
        return encrypted
    }

    /// Self-signed, to carry the key: no authority, and without an end, since it is for the day when all else is lost.
    private static func certificate(for key: PublicKey, commonName: String) throws(RecoveryError) -> [UInt8] {
        let certificate = try Certificate.carrying(key, keyIdentifier: key.defaultKeyIdentifier)
        let x509 = certificate.raw
        try certificate.setSerialNumber()
        let subject = Array(commonName.utf8)
        guard let name = X509_get_subject_name(x509),
            X509_NAME_add_entry_by_NID(
                name, NID_commonName, MBSTRING_UTF8, subject, Int32(clamping: subject.count), -1, 0) == 1,
            X509_set_issuer_name(x509, name) == 1
        else { throw .library("X509_NAME_add_entry_by_NID") }
        let usage: String
        switch key.algorithm {
        case .rsa: usage = "critical,keyEncipherment"
        case .p256, .p384: usage = "critical,keyAgreement"
        }
        try certificate.add(NID_key_usage, usage)
        try certificate.add(NID_basic_constraints, "critical,CA:FALSE")
        try certificate.sign(with: key)
        let output = try MemoryBIO(secret: false)
        guard PEM_write_bio_X509(output.raw, x509) == 1 else { throw .library("PEM_write_bio_X509") }
        return output.written()
    }
}
