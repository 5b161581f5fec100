/// TPMA_OBJECT (part 2, 8.3). Bits that are not named here are kept as they are.
struct ObjectAttributes: OptionSet, Sendable, Hashable {
    let rawValue: UInt32

    /// It cannot leave its TPM.
    static let fixedTPM = ObjectAttributes(rawValue: 1 << 1)
    /// It cannot get another parent.
    static let fixedParent = ObjectAttributes(rawValue: 1 << 4)
    /// The TPM made its secret.
    static let sensitiveDataOrigin = ObjectAttributes(rawValue: 1 << 5)
    /// Its auth value, or a session with it, is enough to use it.
    static let userWithAuth = ObjectAttributes(rawValue: 1 << 6)
    /// Administrative use needs its policy.
    static let adminWithPolicy = ObjectAttributes(rawValue: 1 << 7)
    /// Not protected against guessing, and not refused in lockout.
    static let noDA = ObjectAttributes(rawValue: 1 << 10)
    /// Used on structures of the TPM's own only.
    static let restricted = ObjectAttributes(rawValue: 1 << 16)
    static let decrypt = ObjectAttributes(rawValue: 1 << 17)
    static let sign = ObjectAttributes(rawValue: 1 << 18)
}
