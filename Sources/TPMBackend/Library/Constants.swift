/// Base codes of TSS2_RC (tss2_common.h and part 2, 6.6), in headers behind casts and sums that Swift does not import.
/// Format-1 codes are without their parameter.
enum TPMCode {
    static let initialize: UInt32 = 0x100
    static let failure: UInt32 = 0x101
    static let nvDefined: UInt32 = 0x14C
    static let policy: UInt32 = 0x126
    static let pcrChanged: UInt32 = 0x128
    static let disabled: UInt32 = 0x120
    static let authType: UInt32 = 0x124
    static let authMissing: UInt32 = 0x125
    static let authUnavailable: UInt32 = 0x12F
    static let reboot: UInt32 = 0x130
    static let commandCode: UInt32 = 0x143
    static let nvSpace: UInt32 = 0x14B

    static let value: UInt32 = 0x84
    static let hierarchy: UInt32 = 0x85
    static let handle: UInt32 = 0x8B
    static let authFail: UInt32 = 0x8E
    static let policyFail: UInt32 = 0x9D
    static let integrity: UInt32 = 0x9F
    static let badAuth: UInt32 = 0xA2
    static let policyCommand: UInt32 = 0xA4

    static let objectMemory: UInt32 = 0x902
    static let sessionMemory: UInt32 = 0x903
    static let memory: UInt32 = 0x904
    static let sessionHandles: UInt32 = 0x905
    static let objectHandles: UInt32 = 0x906
    static let contextGap: UInt32 = 0x901
    static let yielded: UInt32 = 0x908
    static let canceled: UInt32 = 0x909
    static let testing: UInt32 = 0x90A
    /// A handle (0x910 to 0x916) or a session (0x918 to 0x91E) is not loaded.
    static let references: ClosedRange<UInt32> = 0x910...0x91E
    static let nvRate: UInt32 = 0x920
    static let lockout: UInt32 = 0x921
    static let retry: UInt32 = 0x922
    static let nvUnavailable: UInt32 = 0x923
}

/// Base codes of the layers above the TPM.
enum LayerCode {
    static let badSequence: UInt32 = 7
    static let ioError: UInt32 = 10
    static let badValue: UInt32 = 11
    static let notPermitted: UInt32 = 12
    static let badSize: UInt32 = 16
    static let insufficientResponse: UInt32 = 19
    static let incompatible: UInt32 = 20
    static let notSupported: UInt32 = 21
    static let memory: UInt32 = 23
    static let responseAuthFailed: UInt32 = 27
    /// With its layer (the system API): an answer that has no session where one was asked for.
    static let systemBadSequence: UInt32 = 0x80007
}

/// ESYS_TR and TPM handles.
enum Handle {
    static let none: UInt32 = 0xFFF
    static let password: UInt32 = 0x0FF
    static let owner: UInt32 = 0x101
    /// Where the TCG has the storage root key persist (TPM v2.0 Provisioning Guidance, 7.8).
    static let storageRootKey: UInt32 = 0x8100_0001
}
