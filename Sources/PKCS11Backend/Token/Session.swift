internal import CP11Kit
internal import Synchronization

/// One open session. Closing it is explicit: after C_Finalize the handle is gone already.
final class Session: Sendable {
    let handle: CK_SESSION_HANDLE
    let module: Module
    let slot: CK_SLOT_ID
    private let hasFailed = Mutex(false)

    /// Opens a session: read-only, unless something is to be made on the token.
    init(_ module: Module, slot: CK_SLOT_ID, writable: Bool = false) throws(PKCS11Error) {
        var handle: CK_SESSION_HANDLE = 0
        let flags = CK_FLAGS(CKF_SERIAL_SESSION) | (writable ? CK_FLAGS(CKF_RW_SESSION) : 0)
        try module.call("C_OpenSession") { $0.pointee.C_OpenSession?(slot, flags, nil, nil, &handle) }
        self.handle = handle
        self.module = module
        self.slot = slot
    }

    /// An operation that was begun failed. It should be over then; tpm2-pkcs11 1.9 leaves it active, and the session is
    /// of no use any more.
    func markUnsettled() { hasFailed.withLock { $0 = true } }

    /// Whether an operation may still be active.
    var isUnsettled: Bool { hasFailed.withLock { $0 } }

    func close() {
        _ = module.code { $0.pointee.C_CloseSession?(handle) }
    }

    /// C_Login as the user; a nil PIN asks at the token's own keypad.
    func login(_ pin: UnsafeRawBufferPointer?) -> ReturnCode {
        // The parameter is not const in C; no library writes there.
        let bytes = pin?.baseAddress.map { UnsafeMutablePointer(mutating: $0.assumingMemoryBound(to: UInt8.self)) }
        return module.code {
            $0.pointee.C_Login?(handle, CK_USER_TYPE(CKU_USER), bytes ?? nil, CK_ULONG(pin?.count ?? 0))
        }
    }
}
