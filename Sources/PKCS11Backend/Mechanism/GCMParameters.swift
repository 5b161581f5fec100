internal import CP11Kit

/// CK_GCM_PARAMS with the memory that it points to, which stays where it is from C_EncryptInit to C_Encrypt: some tokens
/// write their IV there only then.
final class GCMParameters {
    private let storage: UnsafeMutableBufferPointer<UInt8>
    private let parameters: UnsafeMutablePointer<CK_GCM_PARAMS>
    private let room: Int

    /// - Parameter room: bytes that a token may write as its IV, however long the one is that it was given.
    init(_ iv: [UInt8], _ aad: [UInt8], room: Int, tagBits: Int) {
        self.room = max(room, iv.count)
        storage = .allocate(capacity: self.room + aad.count)
        let padding = [UInt8](repeating: 0, count: self.room - iv.count)
        _ = storage.initialize(from: iv + padding + aad)
        parameters = .allocate(capacity: 1)
        parameters.initialize(to: CK_GCM_PARAMS())
        parameters.pointee.pIv = storage.baseAddress
        parameters.pointee.ulIvLen = CK_ULONG(iv.count)
        parameters.pointee.ulIvBits = CK_ULONG(iv.count * 8)
        parameters.pointee.pAAD = storage.baseAddress?.advanced(by: self.room)
        parameters.pointee.ulAADLen = CK_ULONG(aad.count)
        parameters.pointee.ulTagBits = CK_ULONG(tagBits)
    }

    deinit {
        storage.deallocate()
        parameters.deallocate()
    }

    /// The IV as it is now, as long as the token says.
    var iv: [UInt8] { Array(storage.prefix(min(room, Int(clamping: parameters.pointee.ulIvLen)))) }

    /// The mechanism with these parameters, for as long as the operation lasts.
    func withMechanism<R: ~Copyable>(
        _ number: UInt32, _ body: (UnsafeMutablePointer<CK_MECHANISM>) throws(PKCS11Error) -> R
    ) throws(PKCS11Error) -> R {
        let mechanism = UnsafeMutablePointer<CK_MECHANISM>.allocate(capacity: 1)
        defer { mechanism.deallocate() }
        mechanism.initialize(
            to: CK_MECHANISM(
                mechanism: CK_ULONG(number), pParameter: UnsafeMutableRawPointer(parameters),
                ulParameterLen: CK_ULONG(MemoryLayout<CK_GCM_PARAMS>.size)))
        return try body(mechanism)
    }
}
