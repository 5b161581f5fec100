internal import COpenSSL
internal import Crypto

/// CMS AuthEnvelopedData (RFC 5083, RFC 5084) to one recipient that is named by its key identifier: RSA with OAEP, SHA-256
/// and MGF1 with SHA-256; P-256 and P-384 by ephemeral-static ECDH with the X9.63 KDF and SHA-256, and AES-256 key wrap.
///
/// The content goes straight between the secure heap and the cipher: CMS_final and CMS_decrypt would leave copies on the
/// stack.
struct CMSMessage: ~Copyable {
    private let raw: OpaquePointer

    private init(_ raw: OpaquePointer) { self.raw = raw }

    deinit { CMS_ContentInfo_free(raw) }

    /// Encrypts, and gives the DER encoding.
    static func encrypt(_ content: borrowing SecretBytes, to key: RecipientKey) throws(RecoveryError) -> [UInt8] {
        let context = try library()
        guard let cipher = EVP_CIPHER_fetch(context, "AES-256-GCM", nil) else { throw .library("EVP_CIPHER_fetch") }
        defer { EVP_CIPHER_free(cipher) }
        guard let raw = CMS_AuthEnvelopedData_create_ex(cipher, context, nil) else {
            throw .library("CMS_AuthEnvelopedData_create_ex")
        }
        let message = CMSMessage(raw)
        // The content is to stand in the message.
        guard CMS_set_detached(raw, 0) == 1 else { throw .library("CMS_set_detached") }
        try message.addRecipient(key)
        guard let chain = CMS_dataInit(raw, nil) else { throw .library("CMS_dataInit") }
        defer { BIO_free_all(chain) }
        let written = content.withUnsafeBytes { BIO_write(chain, $0.baseAddress, Int32(clamping: $0.count)) }
        guard written == Int32(clamping: content.count), trousseau_bio_flush(chain) == 1 else {
            throw .library("BIO_write")
        }
        guard CMS_dataFinal(raw, chain) == 1 else { throw .library("CMS_dataFinal") }
        var encoding: UnsafeMutablePointer<UInt8>?
        let count = i2d_CMS_ContentInfo(raw, &encoding)
        guard count > 0, let encoding else { throw .library("i2d_CMS_ContentInfo") }
        defer { trousseau_free(encoding) }
        return Array(UnsafeBufferPointer(start: encoding, count: Int(count)))
    }

    private borrowing func addRecipient(_ key: RecipientKey) throws(RecoveryError) {
        // libcrypto takes the recipient from a certificate; of this one only key and key identifier are used, and
        // nothing of it gets into the message. It looks at complete ones only, so a key of the moment signs this one.
        let carrier = try Certificate.carrying(key.key, keyIdentifier: key.keyIdentifier)
        try carrier.sign(with: try PublicKey(taking: try newKey(.p256)))
        let flags = UInt32(CMS_USE_KEYID | CMS_KEY_PARAM)
        guard let recipient = CMS_add1_recipient(raw, carrier.raw, nil, nil, flags),
            let parameters = CMS_RecipientInfo_get0_pkey_ctx(recipient)
        else { throw .library("CMS_add1_recipient") }
        guard let sha256 = EVP_MD_fetch(try library(), "SHA2-256", nil) else { throw .library("EVP_MD_fetch") }
        defer { EVP_MD_free(sha256) }
        let isSet =
            switch key.key.algorithm {
            case .rsa:
                EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_OAEP_PADDING) == 1
                    && EVP_PKEY_CTX_set_rsa_oaep_md(parameters, sha256) == 1
                    && EVP_PKEY_CTX_set_rsa_mgf1_md(parameters, sha256) == 1
            case .p256, .p384:
                EVP_PKEY_CTX_set_ecdh_kdf_md(parameters, sha256) == 1
            }
        guard isSet else { throw .library("EVP_PKEY_CTX") }
    }

    /// Decrypts a message whose content has `size` bytes, with the private half of `key`.
    ///
    /// - Throws: `seal` whatever is wrong: the message, the key, or the content's size.
    static func decrypt(_ bytes: [UInt8], with key: PublicKey, size: Int) throws(RecoveryError) -> SecretBytes {
        defer { ERR_clear_error() }
        let message = try parse(bytes)
        guard CMS_decrypt_set1_pkey(message.raw, key.raw, nil) == 1, let chain = CMS_dataInit(message.raw, nil) else {
            throw RecoverySeal.doesNotOpen
        }
        defer { BIO_free_all(chain) }
        do throws(CryptoError) {
            return try SecretBytes(count: size) { (memory) throws(CryptoError) in
                var filled: Int32 = 0
                while Int(filled) < size {
                    let count = BIO_read(
                        chain, memory.baseAddress.map { $0 + Int(filled) }, Int32(clamping: size) - filled)
                    guard count > 0 else { break }
                    filled += count
                }
                // The tag is checked at the end of the content, which has to be here.
                var more: UInt8 = 0
                guard Int(filled) == size, BIO_read(chain, &more, 1) <= 0, trousseau_bio_cipher_status(chain) == 1
                else {
                    throw CryptoError(.authenticationFailed, "CMS")
                }
            }
        } catch {
            guard error.code == .authenticationFailed else { throw RecoveryError(error) }
            throw RecoverySeal.doesNotOpen
        }
    }

    /// Only what `encrypt` makes is taken: of libcrypto's other recipients and contents none is reached.
    private static func parse(_ bytes: [UInt8]) throws(RecoveryError) -> CMSMessage {
        var raw = CMS_ContentInfo_new_ex(try library(), nil)
        guard raw != nil else { throw .library("CMS_ContentInfo_new_ex") }
        let isRead = try bytes.span.withUnsafeBytes { (memory) throws(RecoveryError) in
            let input = try MemoryBIO(reading: memory)
            return d2i_CMS_bio(input.raw, &raw) != nil && BIO_ctrl_pending(input.raw) == 0
        }
        guard let raw else { throw RecoverySeal.doesNotOpen }
        let message = CMSMessage(raw)
        guard isRead, OBJ_obj2nid(CMS_get0_type(raw)) == NID_id_smime_ct_authEnvelopedData,
            trousseau_cms_recipient_count(raw) == 1, let recipient = trousseau_cms_recipient(raw, 0),
            [CMS_RECIPINFO_TRANS, CMS_RECIPINFO_AGREE].contains(CMS_RecipientInfo_type(recipient))
        else { throw RecoverySeal.doesNotOpen }
        return message
    }
}
