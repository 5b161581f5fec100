internal import CP11Kit

/// The codes that the code decides by; Swift sees the C macros as integers of several types.
enum CKRValue {
    static let userAlreadyLoggedIn = CK_RV(CKR_USER_ALREADY_LOGGED_IN)
    static let sessionCount = CK_RV(CKR_SESSION_COUNT)
    static let alreadyInitialized = CK_RV(CKR_CRYPTOKI_ALREADY_INITIALIZED)
    static let notInitialized = CK_RV(CKR_CRYPTOKI_NOT_INITIALIZED)
    static let functionNotSupported = CK_RV(CKR_FUNCTION_NOT_SUPPORTED)
    static let mechanismInvalid = CK_RV(CKR_MECHANISM_INVALID)
    static let bufferTooSmall = CK_RV(CKR_BUFFER_TOO_SMALL)
}

/// Bits of CK_TOKEN_INFO's flags.
struct TokenFlag: Sendable {
    let bits: CK_FLAGS

    static let loginRequired = TokenFlag(bits: CK_FLAGS(CKF_LOGIN_REQUIRED))
    static let initialized = TokenFlag(bits: CK_FLAGS(CKF_TOKEN_INITIALIZED))
    static let protectedAuthenticationPath = TokenFlag(bits: CK_FLAGS(CKF_PROTECTED_AUTHENTICATION_PATH))
    static let userPINInitialized = TokenFlag(bits: CK_FLAGS(CKF_USER_PIN_INITIALIZED))
    static let userPINCountLow = TokenFlag(bits: CK_FLAGS(CKF_USER_PIN_COUNT_LOW))
    static let userPINFinalTry = TokenFlag(bits: CK_FLAGS(CKF_USER_PIN_FINAL_TRY))
    static let userPINLocked = TokenFlag(bits: CK_FLAGS(CKF_USER_PIN_LOCKED))
    static let userPINToBeChanged = TokenFlag(bits: CK_FLAGS(CKF_USER_PIN_TO_BE_CHANGED))
}
