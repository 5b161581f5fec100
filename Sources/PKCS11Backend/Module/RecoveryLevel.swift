internal import CP11Kit

/// How much has to be made anew after a function failed. The table is total: every code has a level.
enum RecoveryLevel: String, Sendable, CaseIterable {
    /// The request was at fault; nothing is made anew.
    case request
    /// The session is gone: discard it, retry once.
    case session
    /// No more sessions: lower the cap, wait at most a second.
    case count
    /// The key's handle or the login is gone: new epoch, login, find again, retry once.
    case handle
    /// The device or the module: drain, finalize, initialize, and so on from the beginning, with backoff.
    case module
    /// CKR_GENERAL_ERROR says nothing (SoftHSM 2.6 returns it for an altered GCM ciphertext): a canary decides between
    /// `request` and `module`.
    case generalError
    /// The PIN was refused or cannot be used: nothing is sent again until its source changes.
    case pin

    /// Whether a failure outside of a request is reason enough to make all of it anew.
    var wantsAnew: Bool {
        switch self {
        case .request, .pin, .count: false
        case .session, .handle, .module, .generalError: true
        }
    }

    init(_ code: ReturnCode) {
        self = RecoveryLevel.table[code.rawValue] ?? (code.isVendorDefined ? .module : .request)
    }

    private static let table: [CK_ULONG: RecoveryLevel] = {
        var table: [CK_ULONG: RecoveryLevel] = [:]
        for (level, codes) in groups {
            for code in codes { table[CK_ULONG(truncatingIfNeeded: code)] = level }
        }
        return table
    }()

    /// Whatever is missing here is `request`, vendors' codes are `module`.
    private static let groups: [(RecoveryLevel, [Int])] = [
        (
            .session,
            [
                CKR_SESSION_HANDLE_INVALID, CKR_SESSION_CLOSED, CKR_OPERATION_ACTIVE, CKR_OPERATION_NOT_INITIALIZED,
                CKR_SESSION_READ_ONLY,
            ].map { Int($0) }
        ),
        (.count, [Int(CKR_SESSION_COUNT)]),
        (
            .handle,
            [CKR_OBJECT_HANDLE_INVALID, CKR_KEY_HANDLE_INVALID, CKR_USER_NOT_LOGGED_IN].map { Int($0) }
        ),
        (
            .module,
            [
                CKR_DEVICE_ERROR, CKR_DEVICE_MEMORY, CKR_DEVICE_REMOVED, CKR_TOKEN_NOT_PRESENT,
                CKR_TOKEN_NOT_RECOGNIZED, CKR_SLOT_ID_INVALID, CKR_CRYPTOKI_NOT_INITIALIZED, CKR_FUNCTION_FAILED,
                CKR_HOST_MEMORY, CKR_LIBRARY_LOAD_FAILED, CKR_FIPS_SELF_TEST_FAILED, CKR_MUTEX_BAD,
                CKR_MUTEX_NOT_LOCKED, CKR_CANT_LOCK, CKR_NEED_TO_CREATE_THREADS,
            ].map { Int($0) }
        ),
        (.generalError, [Int(CKR_GENERAL_ERROR)]),
        (
            .pin,
            [
                CKR_PIN_INCORRECT, CKR_PIN_INVALID, CKR_PIN_LEN_RANGE, CKR_PIN_EXPIRED, CKR_PIN_LOCKED,
                CKR_PIN_TOO_WEAK, CKR_USER_PIN_NOT_INITIALIZED,
            ].map { Int($0) }
        ),
    ]
}
