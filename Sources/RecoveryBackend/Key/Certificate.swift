internal import COpenSSL
internal import Crypto

/// An X.509 certificate. Nothing is verified: it only carries the operator's key, which the operator put there.
struct Certificate: ~Copyable {
    let raw: OpaquePointer

    /// An empty one in our library context.
    init() throws(RecoveryError) {
        guard let raw = X509_new_ex(try library(), nil) else { throw .library("X509_new_ex") }
        self.raw = raw
    }

    deinit { X509_free(raw) }

    /// Reads the first certificate.
    ///
    /// - Throws: `keyFile`.
    init(pem: borrowing MemoryBIO) throws(RecoveryError) {
        // What is read replaces the empty one, in its library context.
        var raw = X509_new_ex(try library(), nil)
        var answer = Passphrase.Answer()
        guard PEM_read_bio_X509(pem.raw, &raw, Passphrase.callback, &answer) != nil, let raw else {
            if let raw { X509_free(raw) }
            let reason = CryptoError.library("PEM_read_bio_X509")
            throw RecoveryError(.keyFile, "the certificate does not parse: \(reason)", hint: "export it again, as PEM")
        }
        self.raw = raw
    }

    /// The key, for the caller to free.
    borrowing func publicKey() throws(RecoveryError) -> OpaquePointer {
        guard let key = X509_get_pubkey(raw) else {
            let reason = CryptoError.library("X509_get_pubkey")
            throw RecoveryError(.keyRefused, "the certificate's key is not one that can be used: \(reason)")
        }
        return key
    }

    /// The extension that names the key; nil when there is none.
    borrowing func keyIdentifier() -> [UInt8]? {
        defer { ERR_clear_error() }
        guard let octets = X509_get0_subject_key_id(raw), let bytes = ASN1_STRING_get0_data(octets) else { return nil }
        return Array(UnsafeBufferPointer(start: bytes, count: Int(ASN1_STRING_length(octets))))
    }

    /// The subject as RFC 2253 spells it: ASCII, everything else as escapes.
    borrowing func subject() throws(RecoveryError) -> String {
        let output = try MemoryBIO(secret: false)
        guard X509_NAME_print_ex(output.raw, X509_get_subject_name(raw), 0, trousseau_rfc2253()) >= 0 else {
            throw .library("X509_NAME_print_ex")
        }
        return String(decoding: output.written(), as: UTF8.self)
    }

    /// What an operator may want to know. None of it keeps a seal from being made: the key is kept for emergencies, and
    /// no certificate's date makes a lost cluster better.
    borrowing func remarks(for algorithm: KeyAlgorithm) -> [String] {
        defer { ERR_clear_error() }
        var remarks: [String] = []
        if X509_cmp_time(X509_get0_notAfter(raw), nil) < 0 { remarks.append("the certificate has expired") }
        if X509_cmp_time(X509_get0_notBefore(raw), nil) > 0 { remarks.append("the certificate is not valid yet") }
        let (wanted, name) =
            switch algorithm {
            case .rsa: (UInt32(KU_KEY_ENCIPHERMENT), "keyEncipherment")
            case .p256, .p384: (UInt32(KU_KEY_AGREEMENT), "keyAgreement")
            }
        // All bits are set when the extension is absent.
        if X509_get_key_usage(raw) & wanted == 0 { remarks.append("its key usage does not name \(name)") }
        if X509_check_ca(raw) == 1 { remarks.append("it is the certificate of an authority (CA:TRUE)") }
        return remarks
    }
}
