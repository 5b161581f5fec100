internal import Keyring

/// What the device's thread does about a failure before the same work is tried again.
enum Remedy: Sendable, Hashable {
    /// Nothing helps.
    case none
    /// Wait a little, at most `Device.patience` times.
    case wait
    /// The connection and all that hung on it are gone: open the device anew, once.
    case reopen
    /// The TPM was reset and nobody has started it: TPM2_Startup, once.
    case startUp
    /// Flush what this process may have left behind, and open the device anew, once.
    case makeRoom
}

/// Which command a TPM answered: the same code means different things to different commands.
enum Command: String, Sendable {
    case open = "opening the TPM"
    case startUp = "TPM2_Startup"
    case readPublic = "TPM2_ReadPublic"
    case createPrimary = "TPM2_CreatePrimary"
    case evictControl = "TPM2_EvictControl"
    case startSession = "TPM2_StartAuthSession"
    case create = "TPM2_Create"
    case importObject = "TPM2_Import"
    case load = "TPM2_Load"
    case unseal = "TPM2_Unseal"
    case policy = "TPM2_Policy…"
    case getCapability = "TPM2_GetCapability"
    case pcrRead = "TPM2_PCR_Read"
    case loadExternal = "TPM2_LoadExternal"
    case verifySignature = "TPM2_VerifySignature"
    case flush = "TPM2_FlushContext"
}

extension TPMError {
    /// The one table from TSS2_RC to what to do; total.
    init(_ command: Command, _ rc: ReturnCode) {
        switch rc.layer {
        case .tpm: self.init(fromTPM: command, rc)
        case .transport: self.init(fromTransport: command, rc)
        case .library: self.init(fromLibrary: command, rc)
        }
    }

    private init(fromTPM command: Command, _ rc: ReturnCode) {
        if rc.isFormatOne {
            self.init(formatOne: command, rc)
            return
        }
        switch rc.base {
        case TPMCode.retry, TPMCode.yielded, TPMCode.testing, TPMCode.canceled, TPMCode.nvRate, TPMCode.nvUnavailable:
            self.init(command, rc, "the TPM is busy", .retry, .wait)
        case TPMCode.initialize:
            self.init(command, rc, "the TPM was reset and not started", .reopen, .startUp)
        case TPMCode.failure:
            self.init(
                command, rc, "the TPM has failed its self-test", .operatorMustAct, code: .device,
                hint: "switch the machine off and on; if that does not help, the TPM is broken")
        case TPMCode.references:
            self.init(command, rc, "the TPM was reset", .reopen, .reopen)
        case TPMCode.objectMemory, TPMCode.sessionMemory, TPMCode.memory, TPMCode.sessionHandles,
            TPMCode.objectHandles, TPMCode.contextGap:
            self.init(
                command, rc, "the TPM is full", .retry, .makeRoom,
                hint: "another program keeps objects or sessions in it: use /dev/tpmrm0, not /dev/tpm0")
        case TPMCode.lockout:
            // An authorization of the storage root key is refused only if that key is not exempt (noDA).
            let isKey = [.create, .load, .importObject].contains(command)
            self.init(
                command, rc, "the TPM is locked against guessing", .operatorMustAct,
                hint: "wait, or clear the lockout with tpm2_dictionarylockout --clear-lockout; "
                    + (isKey
                        ? "no seal opens until then, since the storage root key is not exempt (noDA)"
                        : "seals without a PIN go on working"))
        case TPMCode.authUnavailable:
            self.init(
                command, rc, "the storage root key cannot be used by its auth value: it wants a policy",
                .operatorMustAct, code: .configuration, hint: StorageKey.remake)
        case TPMCode.nvSpace:
            self.init(
                command, rc, "the TPM has no room for a persistent key", .operatorMustAct,
                hint: "free a handle: tpm2_getcap handles-persistent, tpm2_evictcontrol")
        case TPMCode.reboot:
            self.init(
                command, rc, "the TPM wants the machine to be started anew", .operatorMustAct, code: .device,
                hint: "switch the machine off and on")
        case TPMCode.disabled, TPMCode.commandCode, TPMCode.authType, TPMCode.authMissing:
            self.init(
                command, rc, "the TPM does not do this", .operatorMustAct,
                hint: "look for an update of the TPM's firmware, and at its settings in the machine's")
        case TPMCode.policy, TPMCode.pcrChanged:
            self.init(command, rc, "the TPM's state does not fit the policy", .permanent, code: .policy)
        default:
            self.init(command, rc, "the TPM refused", .retry)
        }
    }

    private init(formatOne command: Command, _ rc: ReturnCode) {
        switch (rc.base, command) {
        case (TPMCode.handle, .readPublic):
            self.init(command, rc, "the TPM has no storage root key", .permanent, code: .replaced)
        case (TPMCode.hierarchy, _):
            self.init(
                command, rc, "the TPM's owner hierarchy is switched off", .operatorMustAct, code: .device,
                hint: "switch the storage (owner) hierarchy on in the firmware's settings")
        case (TPMCode.authFail, .createPrimary), (TPMCode.badAuth, .createPrimary), (TPMCode.authFail, .evictControl),
            (TPMCode.badAuth, .evictControl):
            self.init(
                command, rc, "the owner hierarchy has an authorization value", .operatorMustAct,
                hint: "make the storage root key by hand, with that value as AUTH: \(StorageKey.remakeCommands)")
        case (TPMCode.authFail, .unseal), (TPMCode.badAuth, .unseal):
            self.init(command, rc, "the PIN is wrong", .operatorMustAct, code: .pinBlocked)
        case (TPMCode.policyFail, _), (TPMCode.policyCommand, _), (TPMCode.value, .policy):
            self.init(command, rc, "the TPM's state does not fit the policy", .permanent, code: .policy)
        case (TPMCode.integrity, .load), (TPMCode.integrity, .importObject):
            self.init(
                command, rc, "the seal is of another TPM, or damaged", .permanent, code: .seal)
        case (_, .load), (_, .importObject), (_, .unseal):
            self.init(command, rc, "the seal does not open with this TPM", .permanent, code: .seal)
        default:
            self.init(command, rc, "the TPM refused", .permanent)
        }
    }

    private init(fromTransport command: Command, _ rc: ReturnCode) {
        switch rc.base {
        case LayerCode.notSupported where command == .open, LayerCode.badValue where command == .open,
            LayerCode.incompatible where command == .open:
            self.init(
                command, rc, "there is no such TCTI, or it does not take this configuration", .operatorMustAct,
                code: .configuration,
                hint: "correct device, such as device:/dev/tpmrm0, and install the TCTI's package (libtss2-tcti-…)")
        default:
            self.init(
                command, rc, "the connection to the TPM failed", .reopen, .reopen, code: .device,
                hint: "look at the kernel's log for tpm; for /dev/tpm0, which program has it open")
        }
    }

    private init(fromLibrary command: Command, _ rc: ReturnCode) {
        switch rc.base {
        case LayerCode.responseAuthFailed: self = .interference(command, rc)
        case LayerCode.memory:
            self.init(command, rc, "out of memory", .retry, code: .local)
        default:
            // A context that saw one failure of its connection answers BAD_SEQUENCE for ever; other codes here are
            // answers that are no TPM's.
            self.init(command, rc, "the connection to the TPM failed", .reopen, .reopen, code: .device)
        }
    }

    private init(
        _ command: Command, _ rc: ReturnCode, _ why: String, _ errorClass: SealingError.Class, _ remedy: Remedy = .none,
        code: Code = .call, hint: String? = nil
    ) {
        self.init(
            code, "\(command.rawValue): \(rc): \(why)", hint: hint, errorClass: errorClass, remedy: remedy,
            returnCode: rc, command: command)
    }
}

extension TPMError {
    /// The same of a command whose answer a salted session vouches for: an answer without the session, or with one that was
    /// cut, is none of the pinned TPM's. (A connection that was lost has other codes.)
    var inSession: TPMError {
        let isCut = (LayerCode.badSize...LayerCode.insufficientResponse).contains(returnCode.rawValue & 0xFFFF)
        let isBare = returnCode.rawValue == LayerCode.systemBadSequence
        guard let command, returnCode.layer == .library, isCut || isBare else { return self }
        return .interference(command, returnCode)
    }

    /// What was said or heard was changed on its way.
    static func interference(
        _ command: Command, _ rc: ReturnCode, _ why: String = "the answer was not made by the pinned TPM",
        errorClass: SealingError.Class = .reopen
    ) -> TPMError {
        TPMError(
            .interference, "\(command.rawValue): \(rc): \(why)",
            hint: "somebody on the bus may have changed it: look at the hardware", errorClass: errorClass,
            remedy: .reopen, returnCode: rc, command: command)
    }
}
