internal import Crypto

/// A call that a load generator repeats: what is sent, and what has to come back.
public final class LoadOperation {
    /// The methods that can be repeated.
    public enum Method: Sendable, CaseIterable {
        case status, encrypt, decrypt, v1Encrypt, v1Decrypt
    }

    /// In bytes, as kube-apiserver's DEK seeds.
    static let plaintextSize = 32
    /// Of a response's plaintext: the field's tag and length, in bytes.
    private static let header = 2

    let method: RPCMethod
    let request: Slice
    /// The response's encoding; nil when answers differ.
    let expected: [UInt8]?
    /// What the response is to hold.
    var plaintext: ArraySlice<UInt8> { (expected ?? []).dropFirst(LoadOperation.header) }

    /// Asks the plugin once, which for a decryption makes the ciphertext.
    ///
    /// - Throws: what that call throws; `invalidAnswer` when the plugin does not decrypt what it encrypted.
    public convenience init(_ method: Method, socket: String, timeout: Duration) throws(ClientError) {
        let client = try KMSClient(socket: socket, timeout: timeout)
        let plaintext: SecretBytes
        do throws(CryptoError) {
            plaintext = try SecretBytes(randomCount: LoadOperation.plaintextSize)
        } catch {
            throw ClientError(.resources, "\(error)")
        }
        switch method {
        case .status:
            _ = try client.status()
            self.init(.status, KMSRequests.empty(), nil)
        case .encrypt:
            _ = try client.encrypt(plaintext)
            self.init(.encrypt, plaintext.withUnsafeBytes { KMSRequests.encrypt($0, uid: KMSClient.newUID()) }, nil)
        case .decrypt:
            let sealed = try client.encrypt(plaintext)
            let opened = try client.decrypt(
                sealed.ciphertext, keyID: sealed.keyID, annotations: sealed.annotations)
            try LoadOperation.check(.decrypt, opened, plaintext)
            self.init(
                .decrypt,
                KMSRequests.decrypt(
                    sealed.ciphertext, keyID: sealed.keyID, annotations: sealed.annotations, uid: KMSClient.newUID()),
                LoadOperation.response(plaintext))
        case .v1Encrypt:
            _ = try client.v1Encrypt(plaintext)
            self.init(.v1Encrypt, plaintext.withUnsafeBytes { KMSRequests.v1($0) }, nil)
        case .v1Decrypt:
            let sealed = try client.v1Encrypt(plaintext)
            try LoadOperation.check(.v1Decrypt, try client.v1Decrypt(sealed.cipher), plaintext)
            self.init(.v1Decrypt, KMSRequests.v1(sealed.cipher), LoadOperation.response(plaintext))
        }
    }

    private init(_ method: RPCMethod, _ request: consuming Slice, _ expected: [UInt8]?) {
        self.method = method
        self.request = request
        self.expected = expected
    }

    private static func check(
        _ method: RPCMethod, _ opened: borrowing SecretBytes, _ plaintext: borrowing SecretBytes
    ) throws(ClientError) {
        guard opened.isEqual(to: plaintext) else {
            throw ClientError(.invalidAnswer, "\(method.name): a wrong plaintext came back")
        }
    }

    /// DecryptResponse of both versions. The plaintext is random and keeps no secret.
    private static func response(_ plaintext: borrowing SecretBytes) -> [UInt8] {
        plaintext.withUnsafeBytes { [1 << 3 | 2, UInt8($0.count)] + $0 }
    }
}
