internal import COpenSSL
internal import Crypto
internal import Keyring

/// The public key of the configured file, with what the file says about it.
struct RecipientKey: Sendable {
    let key: PublicKey
    /// How the seal names its recipient: the certificate's own key identifier, else the usual digest of the key. At most
    /// 64 bytes.
    let keyIdentifier: [UInt8]
    /// The certificate's subject; empty for a bare key.
    let subject: String
    /// What an operator may want to know about the certificate.
    let remarks: [String]

    private static let maximumIdentifierSize = 64

    /// Reads a PEM file's contents: one certificate or one public key.
    ///
    /// - Throws: `keyFile`, `keyRefused`, `cryptography`.
    init(pem bytes: [UInt8]) throws(RecoveryError) {
        let labels = PEMLabels.all(in: bytes)
        guard !labels.contains(where: { $0.hasSuffix("PRIVATE KEY") }) else {
            throw RecoveryError(
                .keyFile, "it holds a private key",
                hint: "take it off this machine, and name a file with the certificate or the public key alone")
        }
        guard let label = labels.first, labels.count == 1 else {
            throw RecoveryError(
                .keyFile, labels.isEmpty ? "it holds no PEM" : "it holds more than one certificate or key",
                hint: "name a PEM file with one certificate or one public key")
        }
        self = try bytes.span.withUnsafeBytes { (memory) throws(RecoveryError) in
            let input = try MemoryBIO(reading: memory)
            return label == "CERTIFICATE" ? try RecipientKey(certificate: input) : try RecipientKey(bare: input)
        }
    }

    /// The public half of a private key.
    init(_ key: PublicKey) {
        self.key = key
        keyIdentifier = key.defaultKeyIdentifier
        subject = ""
        remarks = []
    }

    private init(certificate input: borrowing MemoryBIO) throws(RecoveryError) {
        let certificate = try Certificate(pem: input)
        key = try PublicKey(taking: try certificate.publicKey())
        let own = certificate.keyIdentifier()
        keyIdentifier =
            own.flatMap { 1...RecipientKey.maximumIdentifierSize ~= $0.count ? $0 : nil } ?? key.defaultKeyIdentifier
        subject = try certificate.subject()
        remarks = certificate.remarks(for: key.algorithm)
    }

    private init(bare input: borrowing MemoryBIO) throws(RecoveryError) {
        var answer = Passphrase.Answer()
        guard let raw = PEM_read_bio_PUBKEY_ex(input.raw, nil, Passphrase.callback, &answer, try library(), nil) else {
            let reason = CryptoError.library("PEM_read_bio_PUBKEY_ex")
            throw RecoveryError(
                .keyFile, "it holds neither a certificate nor a public key: \(reason)",
                hint: "name a PEM file with one certificate or one public key")
        }
        self.init(try PublicKey(taking: raw))
    }

    /// `P-384 key of CN=…`, for people.
    var text: String { subject.isEmpty ? "\(key.algorithm.name) key" : "\(key.algorithm.name) key of \(subject)" }

    /// The recipient; its ID comes from the key alone, so that a renewed certificate is the same recipient.
    func recipient() throws(RecoveryError) -> Recipient {
        try RecipientDescription(self).recipient()
    }
}

/// The block labels of a PEM file.
enum PEMLabels {
    /// In the order of the file: `CERTIFICATE`, `PUBLIC KEY`.
    static func all(in bytes: [UInt8]) -> [String] {
        let (begin, end) = (Array("-----BEGIN ".utf8), Array("-----".utf8))
        return bytes.split(whereSeparator: { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }).compactMap {
            line in
            guard line.starts(with: begin) else { return nil }
            let rest = line.dropFirst(begin.count)
            guard rest.suffix(end.count).elementsEqual(end) else { return nil }
            return String(decoding: rest.dropLast(end.count), as: UTF8.self)
        }
    }
}
