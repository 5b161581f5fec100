import Keyring
import Testing

@testable import TPMBackend

@Suite("the table of TSS2_RC")
struct ErrorTableTests {
    @Test("parameter, handle and session numbers do not count, and resource managers answer in the TPM's place")
    func bases() {
        for code in [0x9A2, 0x1A2, 0x2A2, 0xAA2, 0x3E2, 0x0A2] as [UInt32] {
            #expect(ReturnCode(rawValue: code).isTPM(TPMCode.badAuth), "\(code)")
            #expect(ReturnCode(rawValue: code | 12 << 16).isTPM(TPMCode.badAuth), "\(code)")
        }
        #expect(ReturnCode(rawValue: 0x902).isTPM(TPMCode.objectMemory))
        #expect(!ReturnCode(rawValue: 0x70022).isTPM(TPMCode.badAuth))
        #expect(ReturnCode(rawValue: 0xA000A).layer == .transport)
        #expect(ReturnCode(rawValue: 0x70007).layer == .library)
    }

    @Test(
        "each row",
        arguments: [
            (0x922, .unseal, .retry, .wait), (0x908, .load, .retry, .wait), (0x90A, .create, .retry, .wait),
            (0x920, .evictControl, .retry, .wait), (0x923, .evictControl, .retry, .wait),
            (0xA000A, .unseal, .reopen, .reopen), (0xA0008, .open, .reopen, .reopen),
            (0x70007, .load, .reopen, .reopen), (0x7001B, .unseal, .reopen, .reopen),
            (0x80011, .load, .reopen, .reopen),
            (0x100, .load, .reopen, .startUp), (0x910, .unseal, .reopen, .reopen), (0x918, .unseal, .reopen, .reopen),
            (0x18B, .readPublic, .permanent, .none), (0x1DF, .load, .permanent, .none),
            (0x1DF, .importObject, .permanent, .none), (0x99D, .unseal, .permanent, .none),
            (0x1C4, .policy, .permanent, .none), (0x126, .unseal, .permanent, .none),
            (0x98E, .unseal, .operatorMustAct, .none), (0x9A2, .unseal, .operatorMustAct, .none),
            (0x9A2, .createPrimary, .operatorMustAct, .none), (0x921, .unseal, .operatorMustAct, .none),
            (0x902, .load, .retry, .makeRoom), (0x903, .startSession, .retry, .makeRoom),
            (0x901, .startSession, .retry, .makeRoom), (0x905, .startSession, .retry, .makeRoom),
            (0x101, .startSession, .operatorMustAct, .none), (0x185, .load, .operatorMustAct, .none),
            (0xA0015, .open, .operatorMustAct, .none), (0xB0902, .load, .retry, .makeRoom),
        ] as [(UInt32, Command, SealingError.Class, Remedy)])
    func rows(_ code: UInt32, _ command: Command, _ errorClass: SealingError.Class, _ remedy: Remedy) {
        let error = TPMError(command, ReturnCode(rawValue: code))
        #expect(error.errorClass == errorClass, "\(error)")
        #expect(error.remedy == remedy, "\(error)")
        #expect(error.message.contains("0x" + String(code, radix: 16)))
    }

    @Test("any code of any layer and command has a row: none traps, and each names itself")
    func total() {
        let commands: [Command] = [.open, .readPublic, .createPrimary, .startSession, .create, .load, .unseal, .policy]
        for layer in 0..<14 as Range<UInt32> {
            for code in stride(from: UInt32(1), to: 0x1000, by: layer == 0 ? 1 : 37) {
                let rc = ReturnCode(rawValue: layer << 16 | code)
                for command in commands {
                    let error = TPMError(command, rc)
                    #expect(error.message.hasPrefix(command.rawValue))
                    #expect(error.returnCode == rc)
                }
            }
        }
        #expect(TPMError(.load, ReturnCode(rawValue: .max)).message.contains("0xffffffff"))
    }
}
