/// What a plugin has answered since it started.
public struct RequestCounts: Sendable, Hashable {
    /// DEK seeds encrypted.
    public var encrypts: UInt64 = 0
    /// DEK seeds decrypted.
    public var decrypts: UInt64 = 0
    /// Refusals of Encrypt, Decrypt and Status, by code; codes that did not occur are left out.
    public var failures: [ServiceError.Code: UInt64] = [:]

    /// None.
    public init() {}
}
