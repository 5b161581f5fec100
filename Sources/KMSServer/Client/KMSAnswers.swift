/// What a plugin answered to v2 Status, and what kube-apiserver would have against it.
public struct StatusAnswer: Sendable, Equatable {
    /// The API's version, `v2`.
    public let version: String
    /// `ok`, or what is wrong. A text of the plugin, as it came.
    public let healthz: String
    /// The active key's public name.
    public let keyID: String
    /// Why kube-apiserver would take the plugin for broken; empty when it would not.
    public let violations: [String]
    /// Whether healthz is `ok`. If not, kube-apiserver reports it, but goes on writing.
    public var isHealthy: Bool { healthz == "ok" }
}

/// What a plugin answered to v2 Encrypt, and what kube-apiserver would have against it.
public struct EncryptAnswer: Sendable, Equatable {
    /// The encrypted plaintext.
    public let ciphertext: [UInt8]
    /// The public name of the key that it is encrypted under.
    public let keyID: String
    /// What Decrypt has to be given back, in the order in which it came.
    public let annotations: [KMSAnnotation]
    /// Why kube-apiserver would discard the answer; empty when it would not. That the key_id is Status's is for the
    /// caller to see.
    public let violations: [String]
}

/// An entry of the annotations that Encrypt answers with and Decrypt takes.
public struct KMSAnnotation: Sendable, Equatable {
    /// A domain name.
    public let key: String
    /// Whatever the plugin wants back.
    public let value: [UInt8]

    /// An entry.
    public init(key: String, value: [UInt8]) {
        self.key = key
        self.value = value
    }
}

/// What a plugin answered to v1beta1 Version, and what kube-apiserver would have against it.
public struct VersionAnswer: Sendable, Equatable {
    /// The API's version, `v1beta1`.
    public let version: String
    /// The plugin's name. A text of the plugin, as it came.
    public let runtimeName: String
    /// The plugin's version. A text of the plugin, as it came.
    public let runtimeVersion: String
    /// Why kube-apiserver would refuse the plugin; empty when it would not.
    public let violations: [String]
}

/// What a plugin answered to v1beta1 Encrypt, and what kube-apiserver would have against it.
public struct V1EncryptAnswer: Sendable, Equatable {
    /// The encrypted plaintext.
    public let cipher: [UInt8]
    /// Why kube-apiserver could not store it; empty when it could.
    public let violations: [String]
}
