internal import CP11Kit
internal import Keyring
internal import Testing

@testable import PKCS11Backend

@Suite("return codes")
struct ReturnCodeTests {
    @Test("codes have the specification's names, vendors' codes and unknown ones their numbers")
    func names() {
        #expect(ReturnCode.ok.description == "CKR_OK")
        #expect(ReturnCode(0xA0).description == "CKR_PIN_INCORRECT")
        #expect(ReturnCode(0x8000_0012).description == "CKR_VENDOR_DEFINED+0x12")
        #expect(ReturnCode(0x7777).description == "0x7777")
    }

    @Test(
        "each row of the recovery table",
        arguments: [
            (0x07, RecoveryLevel.request), (0x70, .request), (0x71, .request), (0x68, .request), (0x40, .request),
            (0x41, .request), (0x54, .request), (0x30, .module), (0x31, .module), (0x32, .module), (0xE0, .module),
            (0x03, .module), (0x190, .module), (0x06, .module), (0x02, .module), (0x8000_0001, .module),
            (0xB3, .session), (0xB0, .session), (0x90, .session), (0x91, .session), (0xB1, .count), (0x82, .handle),
            (0x60, .handle), (0x101, .handle), (0x05, .generalError), (0xA0, .pin), (0xA1, .pin), (0xA2, .pin),
            (0xA3, .pin), (0xA4, .pin), (0x102, .pin),
        ])
    func levels(_ code: Int, _ level: RecoveryLevel) {
        #expect(RecoveryLevel(ReturnCode(code)) == level)
    }

    @Test("every named code has a class and a text of function and name")
    func total() {
        for (value, name) in ReturnCode.names where value != 0 {
            let error = PKCS11Error(call: "C_X", ReturnCode(rawValue: value))
            #expect(error.message.hasPrefix("C_X: \(name)"))
            #expect(error.sealingError.message == error.message)
        }
    }
}
