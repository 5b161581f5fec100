public import Crypto

/// Encrypts and decrypts DEK seeds under one KEK of one keyring. Holds what does not change from call to call.
///
/// The associated data are the version byte, the whole kekID, the keyring ID and the API's name, each prefixed with its
/// length: a ciphertext opens only where all of them are the same.
public struct EnvelopeCipher: Sendable {
    /// The KEK it encrypts under.
    public let kek: KEK
    /// As in the header of each ciphertext.
    public let prefix: KEKPrefix
    /// The version and the first 16 bytes of the kekID.
    private let header: [UInt8]
    private let aadV2: [UInt8]
    private let aadV1Beta1: [UInt8]
    private let nonces = NonceSource()

    /// A cipher for the KEK's ciphertexts in this keyring.
    public init(kek: KEK, keyring: KeyringIdentity) {
        self.kek = kek
        prefix = KEKPrefix(kek.id)
        header = [Envelope.version] + kek.id.prefix
        func aad(_ api: KMSAPI) -> [UInt8] {
            LengthPrefixed.concatenation(of: [
                [Envelope.version], kek.id.bytes, keyring.keyringID, Array(api.rawValue.utf8),
            ])
        }
        aadV2 = aad(.v2)
        aadV1Beta1 = aad(.v1beta1)
    }

    /// Encrypts 1 to 967 bytes under a random nonce.
    ///
    /// - Throws: `malformed` for an empty plaintext, `tooLarge`, `cryptography`.
    public func encrypt(_ plaintext: UnsafeRawBufferPointer, api: KMSAPI) throws(FormatError) -> [UInt8] {
        try encrypt(plaintext, api: api) { (nonce) throws(CryptoError) in try nonces.fill(nonce) }
    }

    /// Encrypts with a nonce that `fillNonce` writes: 24 bytes that are never the same twice.
    func encrypt(
        _ plaintext: UnsafeRawBufferPointer, api: KMSAPI,
        fillNonce: (UnsafeMutableRawBufferPointer) throws(CryptoError) -> Void
    ) throws(FormatError) -> [UInt8] {
        guard !plaintext.isEmpty else { throw FormatError(.malformed, "plaintext", "empty") }
        guard Envelope.plaintextSizes ~= plaintext.count else {
            throw FormatError(
                .tooLarge, "plaintext", "longer than \(Envelope.plaintextSizes.upperBound) bytes")
        }
        let size = plaintext.count + Envelope.overhead
        var failure: CryptoError?
        let ciphertext = [UInt8](unsafeUninitializedCapacity: size) { (bytes, count) in
            let memory = UnsafeMutableRawBufferPointer(start: bytes.baseAddress, count: size)
            do throws(CryptoError) {
                memory.copyBytes(from: header)
                let nonce = UnsafeMutableRawBufferPointer(
                    rebasing: memory[Envelope.nonceOffset..<Envelope.headerSize])
                try fillNonce(nonce)
                try associatedData(api).span.withUnsafeBytes { (aad) throws(CryptoError) in
                    try kek.cipher.seal(
                        plaintext, nonce: UnsafeRawBufferPointer(nonce), aad: aad,
                        into: UnsafeMutableRawBufferPointer(rebasing: memory[Envelope.headerSize...]))
                }
                count = size
            } catch {
                failure = error
                count = 0
            }
        }
        if let failure { throw FormatError(failure, "plaintext") }
        return ciphertext
    }

    /// Decrypts, into secure memory.
    ///
    /// - Throws: what `Envelope.kekPrefix` throws; `conflict` when the ciphertext names another KEK; `notAuthentic` when
    ///   it is not one that this KEK, keyring and API made; `cryptography`.
    public func decrypt(
        _ ciphertext: UnsafeRawBufferPointer, api: KMSAPI
    ) throws(FormatError) -> SecretBytes {
        guard try Envelope.kekPrefix(of: ciphertext) == prefix else {
            throw FormatError(.conflict, "ciphertext", "made under another KEK")
        }
        let nonce = UnsafeRawBufferPointer(rebasing: ciphertext[Envelope.nonceOffset..<Envelope.headerSize])
        let sealed = UnsafeRawBufferPointer(rebasing: ciphertext[Envelope.headerSize...])
        do throws(CryptoError) {
            return try SecretBytes(count: sealed.count - Envelope.tagSize) { (memory) throws(CryptoError) in
                try associatedData(api).span.withUnsafeBytes { (aad) throws(CryptoError) in
                    try kek.cipher.open(sealed, nonce: nonce, aad: aad, into: memory)
                }
            }
        } catch {
            guard error.code == .authenticationFailed else { throw FormatError(error, "ciphertext") }
            throw FormatError(.notAuthentic, "ciphertext", "altered, or made for another keyring or API")
        }
    }

    private func associatedData(_ api: KMSAPI) -> [UInt8] {
        switch api {
        case .v2: aadV2
        case .v1beta1: aadV1Beta1
        }
    }
}
