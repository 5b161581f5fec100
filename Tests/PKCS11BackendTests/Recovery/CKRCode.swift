internal import Testing

/// A return value of PKCS#11, for tests that go through all of a level.
struct CKRCode: Sendable, CustomTestStringConvertible {
    let name: String
    let value: Int

    init(_ name: String, _ value: Int) {
        self.name = name
        self.value = value
    }

    var testDescription: String { name }

    static let request = [
        CKRCode("CKR_ARGUMENTS_BAD", 0x07), CKRCode("CKR_ENCRYPTED_DATA_INVALID", 0x40),
        CKRCode("CKR_ENCRYPTED_DATA_LEN_RANGE", 0x41), CKRCode("CKR_KEY_FUNCTION_NOT_PERMITTED", 0x68),
        CKRCode("CKR_MECHANISM_INVALID", 0x70), CKRCode("CKR_MECHANISM_PARAM_INVALID", 0x71),
    ]
    static let session = [
        CKRCode("CKR_OPERATION_ACTIVE", 0x90), CKRCode("CKR_OPERATION_NOT_INITIALIZED", 0x91),
        CKRCode("CKR_SESSION_CLOSED", 0xB0), CKRCode("CKR_SESSION_HANDLE_INVALID", 0xB3),
    ]
    static let count = CKRCode("CKR_SESSION_COUNT", 0xB1)
    static let handle = [
        CKRCode("CKR_KEY_HANDLE_INVALID", 0x60), CKRCode("CKR_OBJECT_HANDLE_INVALID", 0x82),
        CKRCode("CKR_USER_NOT_LOGGED_IN", 0x101),
    ]
    static let module = [
        CKRCode("CKR_HOST_MEMORY", 0x02), CKRCode("CKR_SLOT_ID_INVALID", 0x03), CKRCode("CKR_FUNCTION_FAILED", 0x06),
        CKRCode("CKR_DEVICE_ERROR", 0x30), CKRCode("CKR_DEVICE_MEMORY", 0x31), CKRCode("CKR_DEVICE_REMOVED", 0x32),
        CKRCode("CKR_TOKEN_NOT_PRESENT", 0xE0), CKRCode("CKR_TOKEN_NOT_RECOGNIZED", 0xE1),
        CKRCode("CKR_CRYPTOKI_NOT_INITIALIZED", 0x190), CKRCode("CKR_VENDOR_DEFINED+0x1", 0x8000_0001),
        CKRCode("CKR_VENDOR_DEFINED+0x1cf", 0x8000_01CF),
    ]
    static let generalError = CKRCode("CKR_GENERAL_ERROR", 0x05)
    static let pin = [
        CKRCode("CKR_PIN_INCORRECT", 0xA0), CKRCode("CKR_PIN_INVALID", 0xA1), CKRCode("CKR_PIN_LEN_RANGE", 0xA2),
        CKRCode("CKR_PIN_EXPIRED", 0xA3), CKRCode("CKR_PIN_LOCKED", 0xA4),
        CKRCode("CKR_USER_PIN_NOT_INITIALIZED", 0x102),
    ]
}
