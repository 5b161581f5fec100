/// What happens to a token in a soak: lines of the shim's script.
struct Fault {
    let lines: [String]

    /// Functions that a seal or an unseal calls, and those on the way up.
    private static let working = [
        "C_DecryptInit", "C_Decrypt", "C_EncryptInit", "C_Encrypt", "C_OpenSession", "C_GetTokenInfo", "*",
    ]
    private static let climbing = [
        "C_Initialize", "C_GetSlotList", "C_GetTokenInfo", "C_OpenSession", "C_Login", "C_FindObjectsInit",
        "C_FindObjects", "C_FindObjectsFinal", "C_GetAttributeValue", "C_CloseSession", "C_Finalize",
    ]
    /// All levels but PIN and request: those have tests of their own, since nothing recovers from them by itself.
    private static let codes: [(name: String, value: Int)] = [
        ("HOST_MEMORY", 0x02), ("SLOT_ID_INVALID", 0x03), ("GENERAL_ERROR", 0x05), ("FUNCTION_FAILED", 0x06),
        ("DEVICE_ERROR", 0x30), ("DEVICE_MEMORY", 0x31), ("DEVICE_REMOVED", 0x32), ("KEY_HANDLE_INVALID", 0x60),
        ("OBJECT_HANDLE_INVALID", 0x82), ("OPERATION_ACTIVE", 0x90), ("OPERATION_NOT_INITIALIZED", 0x91),
        ("SESSION_CLOSED", 0xB0), ("SESSION_COUNT", 0xB1), ("SESSION_HANDLE_INVALID", 0xB3),
        ("TOKEN_NOT_PRESENT", 0xE0), ("TOKEN_NOT_RECOGNIZED", 0xE1), ("USER_NOT_LOGGED_IN", 0x101),
        ("CRYPTOKI_NOT_INITIALIZED", 0x190), ("VENDOR_DEFINED+1", 0x8000_0001), ("VENDOR_DEFINED+0x99", 0x8000_0099),
    ]

    static func random(using random: inout some RandomNumberGenerator) -> Fault {
        let first = Int.random(in: 1...8, using: &random)
        let last = first + Int.random(in: 0...3, using: &random)
        let code = codes[Int.random(in: 0..<codes.count, using: &random)].value
        let working = working[Int.random(in: 0..<working.count, using: &random)]
        let climbing = climbing[Int.random(in: 0..<climbing.count, using: &random)]
        let module = [0x30, 0x32, 0xE0, 0x190][Int.random(in: 0..<4, using: &random)]
        let push = ["drop", "logout", "die \(module)"][Int.random(in: 0..<3, using: &random)]
        switch Int.random(in: 0..<12, using: &random) {
        case 0, 1, 2: return Fault(lines: ["at \(working) \(first)-\(last) return \(code)"])
        // On the way up, which something has to begin.
        case 3, 4, 5:
            return Fault(lines: ["at C_DecryptInit 2 \(push)", "at \(climbing) 1-\(last) return \(code)"])
        case 6: return Fault(lines: ["at \(working) \(first) die \(module)"])
        case 7: return Fault(lines: ["at \(working) \(first) \(push)"])
        case 8: return Fault(lines: ["at \(working) \(first) hang"])
        case 9: return Fault(lines: ["at \(working) \(first)-\(last + 5) delay \(first * 20)"])
        case 10: return Fault(lines: ["set slots \(first)", "at C_DecryptInit 3 \(push)"])
        // Nothing is sent while the token says that one attempt is left.
        default: return Fault(lines: ["set tokenflags 0x20000", "at C_DecryptInit 1 logout"])
        }
    }
}
