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
            (0x922, .unseal, .retry, .wait, .call),
            (0x908, .load, .retry, .wait, .call),
            (0x90A, .create, .retry, .wait, .call),
            (0x920, .evictControl, .retry, .wait, .call),
            (0x923, .evictControl, .retry, .wait, .call),
            (0xA000A, .unseal, .reopen, .reopen, .device),
            (0xA0008, .open, .reopen, .reopen, .device),
            (0x70007, .load, .reopen, .reopen, .device),
            (0x7001B, .unseal, .reopen, .reopen, .interference),
            (0x80011, .load, .reopen, .reopen, .device),
            (0x100, .load, .reopen, .startUp, .call),
            (0x910, .unseal, .reopen, .reopen, .call),
            (0x918, .unseal, .reopen, .reopen, .call),
            (0x18B, .readPublic, .permanent, .none, .replaced),
            (0x1DF, .load, .permanent, .none, .seal),
            (0x1DF, .importObject, .permanent, .none, .seal),
            (0x99D, .unseal, .permanent, .none, .policy),
            (0x1C4, .policy, .permanent, .none, .policy),
            (0x126, .unseal, .permanent, .none, .policy),
            (0x98E, .unseal, .operatorMustAct, .none, .pinBlocked),
            (0x9A2, .unseal, .operatorMustAct, .none, .pinBlocked),
            (0x9A2, .createPrimary, .operatorMustAct, .none, .call),
            (0x921, .unseal, .operatorMustAct, .none, .call),
            (0x902, .load, .retry, .makeRoom, .call),
            (0x903, .startSession, .retry, .makeRoom, .call),
            (0x901, .startSession, .retry, .makeRoom, .call),
            (0x905, .startSession, .retry, .makeRoom, .call),
            (0x101, .startSession, .operatorMustAct, .none, .device),
            (0x185, .load, .operatorMustAct, .none, .device),
            (0xA0015, .open, .operatorMustAct, .none, .configuration),
            (0xB0902, .load, .retry, .makeRoom, .call),
            (0x921, .load, .operatorMustAct, .none, .call),
            (0x12F, .create, .operatorMustAct, .none, .configuration),
            (0x14B, .evictControl, .operatorMustAct, .none, .call),
            (0x130, .startSession, .operatorMustAct, .none, .device),
            (0x120, .create, .operatorMustAct, .none, .call),
            (0x143, .importObject, .operatorMustAct, .none, .call),
            (0x18B, .load, .permanent, .none, .seal),
            (0x98E, .load, .permanent, .none, .seal),
            (0x9A2, .create, .permanent, .none, .call),
            (0x9A2, .startSession, .permanent, .none, .call),
            (0xA000B, .open, .operatorMustAct, .none, .configuration),
            (0xA000B, .load, .reopen, .reopen, .device),
        ] as [(UInt32, Command, SealingError.Class, Remedy, TPMError.Code)])
    func rows(
        _ code: UInt32, _ command: Command, _ errorClass: SealingError.Class, _ remedy: Remedy, _ kind: TPMError.Code
    ) {
        let error = TPMError(command, ReturnCode(rawValue: code))
        #expect(error.errorClass == errorClass, "\(error)")
        #expect(error.remedy == remedy, "\(error)")
        #expect(error.code == kind, "\(error)")
        #expect(error.message.contains("0x" + String(code, radix: 16)))
    }

    @Test("what a lockout's hint promises depends on whether it was the storage root key that was refused")
    func lockout() {
        #expect(TPMError(.unseal, ReturnCode(rawValue: 0x921)).hint?.contains("without a PIN go on") == true)
        #expect(TPMError(.load, ReturnCode(rawValue: 0x921)).hint?.contains("no seal opens until then") == true)
    }

    @Test("in a session an answer that was cut is somebody else's, and a connection that was lost is not")
    func inSession() {
        for (code, kind) in [
            (0x80007, .interference), (0x80011, .interference), (0x7001B, .interference), (0x70007, .device),
            (0xA000A, .device), (0x921, .call),
        ] as [(UInt32, TPMError.Code)] {
            #expect(TPMError(.unseal, ReturnCode(rawValue: code)).inSession.code == kind, "\(code)")
        }
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
