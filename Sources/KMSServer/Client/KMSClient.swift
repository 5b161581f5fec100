public import Crypto

/// A client of any KMS plugin, v2 and v1beta1, that asks as kube-apiserver does. Every function blocks its thread until
/// there is an answer or the timeout has passed. For one thread at a time.
public final class KMSClient {
    /// In bytes: what v2 can carry at most, since the ciphertext may have no more.
    public static let maximumPlaintext = 1024
    /// In bytes: what v1beta1 can carry at most, since the cipher may have no more.
    public static let maximumV1Plaintext = 65535

    private let connection: ClientConnection

    /// Connects to the plugin.
    ///
    /// - Parameters:
    ///   - socket: an absolute path, or `@name` in the abstract namespace.
    ///   - timeout: of each call.
    /// - Throws: `notReachable`, `resources`.
    public init(socket: String, timeout: Duration) throws(ClientError) {
        connection = try ClientConnection(socket: socket, timeout: timeout)
    }

    /// v2 Status.
    public func status() throws(ClientError) -> StatusAnswer {
        try connection.call(.status, KMSRequests.empty(), KMSResponses.status)
    }

    /// v2 Encrypt.
    public func encrypt(_ plaintext: borrowing SecretBytes) throws(ClientError) -> EncryptAnswer {
        let request = plaintext.withUnsafeBytes { KMSRequests.encrypt($0, uid: KMSClient.newUID()) }
        return try connection.call(.encrypt, request, KMSResponses.encrypt)
    }

    /// v2 Decrypt.
    public func decrypt(
        _ ciphertext: [UInt8], keyID: String, annotations: [KMSAnnotation]
    ) throws(ClientError) -> SecretBytes {
        let request = KMSRequests.decrypt(
            ciphertext, keyID: keyID, annotations: annotations, uid: KMSClient.newUID())
        return try plaintext(.decrypt, request, KMSResponses.decrypt)
    }

    /// v1beta1 Version.
    public func v1Version() throws(ClientError) -> VersionAnswer {
        try connection.call(.v1Version, KMSRequests.v1Version(), KMSResponses.v1Version)
    }

    /// v1beta1 Encrypt.
    public func v1Encrypt(_ plaintext: borrowing SecretBytes) throws(ClientError) -> V1EncryptAnswer {
        let request = plaintext.withUnsafeBytes { KMSRequests.v1($0) }
        return try connection.call(.v1Encrypt, request, KMSResponses.v1Encrypt)
    }

    /// v1beta1 Decrypt.
    public func v1Decrypt(_ cipher: [UInt8]) throws(ClientError) -> SecretBytes {
        try plaintext(.v1Decrypt, KMSRequests.v1(cipher), KMSResponses.v1Decrypt)
    }

    /// `SecretBytes` does not pass through closures' results, so it is made inside and carried out in a box.
    private final class Box {
        var plaintext: SecretBytes?
        var error: CryptoError?
    }

    private func plaintext(
        _ method: RPCMethod, _ request: borrowing Slice,
        _ decode: (UnsafeRawBufferPointer, (UnsafeRawBufferPointer) -> Void) -> Void?
    ) throws(ClientError) -> SecretBytes {
        let box = Box()
        try connection.call(method, request, holdsSecret: true) { bytes in
            decode(bytes) { plaintext in
                do throws(CryptoError) {
                    box.plaintext = try SecretBytes(copying: plaintext)
                } catch {
                    box.error = error
                }
            }
        }
        guard let plaintext = box.plaintext.take() else {
            throw ClientError(
                .resources, "\(method.name): no memory for the plaintext: \(box.error.map { "\($0)" } ?? "")")
        }
        return plaintext
    }

    /// A random UUID (RFC 9562, version 4), as kube-apiserver makes one for each request.
    static func newUID() -> String {
        var bytes = (0..<16).map { _ in UInt8.random(in: 0...255) }
        bytes[6] = bytes[6] & 0x0f | 0x40
        bytes[8] = bytes[8] & 0x3f | 0x80
        let digits = Array(Hex.encode(bytes))
        return [0..<8, 8..<12, 12..<16, 16..<20, 20..<32].map { String(digits[$0]) }.joined(separator: "-")
    }
}
