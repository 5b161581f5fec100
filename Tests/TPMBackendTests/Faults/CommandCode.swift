/// TPM_CC: what the tests name.
enum CommandCode {
    static let evictControl: UInt32 = 0x120
    static let createPrimary: UInt32 = 0x131
    static let startup: UInt32 = 0x144
    static let create: UInt32 = 0x153
    static let importObject: UInt32 = 0x156
    static let load: UInt32 = 0x157
    static let unseal: UInt32 = 0x15E
    static let flushContext: UInt32 = 0x165
    static let readPublic: UInt32 = 0x173
    static let startAuthSession: UInt32 = 0x176
    static let getCapability: UInt32 = 0x17A
    static let pcrRead: UInt32 = 0x17E
}
