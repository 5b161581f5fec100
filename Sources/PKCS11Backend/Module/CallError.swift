internal import CP11Kit
internal import Keyring

extension PKCS11Error {
    /// A function that returned something else than CKR_OK.
    init(call: String, _ code: ReturnCode, level: RecoveryLevel? = nil) {
        let level = level ?? RecoveryLevel(code)
        let hint: String?
        let errorClass: SealingError.Class
        switch level {
        case .request:
            errorClass = .permanent
            hint = nil
        case .session, .handle, .generalError:
            errorClass = .reopen
            hint = nil
        case .count:
            errorClass = .retry
            hint = "other programs hold the token's sessions: lower maxSessions here or there"
        case .module:
            errorClass = .reopen
            hint = "check the HSM and its connection; it is tried again by itself"
        case .pin:
            errorClass = .operatorMustAct
            hint = "check the token's user PIN"
        }
        let meaning = PKCS11Error.meanings[code.rawValue].map { " (\($0))" } ?? ""
        self.init(.call, "\(call): \(code)\(meaning)", hint: hint, errorClass: errorClass, level: level)
    }

    /// In the operator's words, where the name alone does not say it.
    private static let meanings: [CK_ULONG: String] = {
        let table: [(Int, String)] = [
            (Int(CKR_HOST_MEMORY), "the library is out of memory"),
            (Int(CKR_GENERAL_ERROR), "the library does not say why"),
            (Int(CKR_FUNCTION_FAILED), "the library does not say why"),
            (Int(CKR_DEVICE_ERROR), "the HSM reports a fault"),
            (Int(CKR_DEVICE_MEMORY), "the HSM is out of memory"),
            (Int(CKR_DEVICE_REMOVED), "the HSM was removed"),
            (Int(CKR_TOKEN_NOT_PRESENT), "no token in that slot"),
            (Int(CKR_TOKEN_NOT_RECOGNIZED), "the library does not know the token"),
            (Int(CKR_SLOT_ID_INVALID), "the token's slot is gone"),
            (Int(CKR_CRYPTOKI_NOT_INITIALIZED), "the library lost its state"),
            (Int(CKR_SESSION_COUNT), "no session left"),
            (Int(CKR_SESSION_HANDLE_INVALID), "the session is gone"),
            (Int(CKR_SESSION_CLOSED), "the session is gone"),
            (Int(CKR_KEY_HANDLE_INVALID), "the key's handle is gone"),
            (Int(CKR_OBJECT_HANDLE_INVALID), "the key's handle is gone"),
            (Int(CKR_USER_NOT_LOGGED_IN), "the login was lost"),
            (Int(CKR_KEY_FUNCTION_NOT_PERMITTED), "the key's attributes do not permit it"),
            (Int(CKR_MECHANISM_INVALID), "the token does not have this mechanism"),
            (Int(CKR_ENCRYPTED_DATA_INVALID), "the ciphertext does not fit the key"),
            (Int(CKR_ENCRYPTED_DATA_LEN_RANGE), "the ciphertext does not fit the key"),
            (Int(CKR_TOKEN_WRITE_PROTECTED), "the token is write-protected"),
            (Int(CKR_PIN_LOCKED), "the PIN is locked"),
            (Int(CKR_PIN_EXPIRED), "the PIN has expired"),
            (Int(CKR_USER_PIN_NOT_INITIALIZED), "the token has no user PIN yet"),
        ]
        return Dictionary(table.map { (CK_ULONG(truncatingIfNeeded: $0.0), $0.1) }) { first, _ in first }
    }()
}
