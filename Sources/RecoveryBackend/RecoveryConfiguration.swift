/// What the recovery backend needs to know.
public struct RecoveryConfiguration: Sendable {
    /// The backend's name in the configuration.
    public var name: String
    /// Absolute path of a PEM file with the operator's X.509 certificate or bare public key; never a private key.
    public var certificate: String

    /// A configuration.
    public init(name: String, certificate: String) {
        self.name = name
        self.certificate = certificate
    }
}
