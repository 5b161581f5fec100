extension PluginConfiguration {
    /// The section `vault` of a backend.
    public struct Vault: Sendable, Equatable {
        /// `https://host:port`.
        public var address: String
        /// Other servers of the same Vault.
        public var otherAddresses: [String]
        /// Nil: the root namespace.
        public var namespace: String?
        /// Where the transit engine is mounted.
        public var mount: String
        /// The sealing key's name.
        public var key: String
        /// How this node logs in.
        public var login: Login
        /// The absolute path of a PEM file with the certificates that are trusted; nil: the system's.
        public var caFile: String?
        /// The absolute path of a PEM file with this node's certificate.
        public var certificateFile: String?
        /// The absolute path of a PEM file with its key.
        public var keyFile: String?
        /// Whose certificate is expected; nil: the address's host.
        public var serverName: String?
        /// `http://host:port`; nil: none.
        public var proxy: String?

        /// How this node logs in. All files by absolute paths.
        public enum Login: Sendable, Equatable {
            case tokenFile(String)
            case appRole(mount: String, roleIDFile: String, secretIDFile: String?, secretIDWrapped: Bool)
            case kubernetes(mount: String, role: String, tokenFile: String)
            case jwt(mount: String, role: String, tokenFile: String)
            case certificate(mount: String, role: String?)
        }
    }
}
