internal import CKMSProto
internal import Keyring

/// `v1beta1.KeyManagementService`.
enum KMSv1Beta1 {
    private static let version = Array("v1beta1".utf8)

    static func methods(_ shared: KMSMethods, runtimeVersion: String) -> [Method] {
        let service = "/v1beta1.KeyManagementService/"
        let answer = versionAnswer(runtimeVersion)
        return [
            Method(path: service + "Version") { version($0, answer, shared) },
            Method(path: service + "Encrypt", isSecret: true) { encrypt($0, shared) },
            Method(path: service + "Decrypt") { decrypt($0, shared) },
        ]
    }

    private static func versionAnswer(_ runtimeVersion: String) -> Slice {
        let (name, runtime) = (Array("trousseau".utf8), Array(runtimeVersion.utf8))
        let size = FieldWriter.size(version.count) + FieldWriter.size(name.count) + FieldWriter.size(runtime.count)
        return Slice(count: size) { memory in
            var writer = FieldWriter(memory)
            writer.field(1, version)
            writer.field(2, name)
            writer.field(3, runtime)
        }
    }

    /// kube-apiserver always sends `v1beta1`. A client that sends nothing means the same: the method's path has said it.
    private static func checkVersion(_ bytes: UnsafeRawBufferPointer) throws(RequestError) {
        guard bytes.isEmpty || bytes.elementsEqual(version) else {
            throw RequestError("version is not v1beta1")
        }
    }

    private static func version(_ bytes: UnsafeRawBufferPointer, _ answer: borrowing Slice, _ shared: KMSMethods)
        -> Reply
    {
        let isWellFormed = shared.arena.lend { allocator in
            kms_v1beta1__version_request__unpack(
                allocator, bytes.count, bytes.bindMemory(to: UInt8.self).baseAddress) != nil
        }
        // Whatever version the client asks for, this is the one that it gets.
        return isWellFormed ? .message(ByteBuffer(answer)) : shared.malformed("Version")
    }

    private static func encrypt(_ bytes: UnsafeRawBufferPointer, _ shared: KMSMethods) -> Reply {
        shared.handle("Encrypt (v1beta1)", bytes, unpack: kms_v1beta1__encrypt_request__unpack, uid: { _ in nil }) {
            (message) throws(RequestError) in
            try checkVersion(message.pointee.version.bytes)
        } answer: { (message) throws(ServiceError) in
            let encrypted = try shared.service.encrypt(message.plain.bytes, api: .v1beta1)
            let slice = Slice(count: FieldWriter.size(encrypted.ciphertext.count)) { memory in
                var writer = FieldWriter(memory)
                writer.field(1, encrypted.ciphertext)
            }
            return .message(ByteBuffer(slice))
        }
    }

    private static func decrypt(_ bytes: UnsafeRawBufferPointer, _ shared: KMSMethods) -> Reply {
        let method = "Decrypt (v1beta1)"
        return shared.handle(method, bytes, unpack: kms_v1beta1__decrypt_request__unpack, uid: { _ in nil }) {
            (message) throws(RequestError) in
            try checkVersion(message.pointee.version.bytes)
        } answer: { (message) throws(ServiceError) in
            try shared.decrypt(method, message.cipher.bytes, keyID: nil, api: .v1beta1, uid: nil)
        }
    }
}
