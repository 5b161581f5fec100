/// What one Vault backend needs to know. Credentials are only references to files.
public struct VaultConfiguration: Sendable {
    /// How this node logs in.
    public enum Login: Sendable, Equatable {
        /// A file with a token, which somebody else renews or rewrites; an absolute path.
        case tokenFile(String)
        /// AppRole: files with the role ID and the secret ID, absolute paths. A wrapped secret ID is a response-wrapping
        /// token, which can be used once.
        case appRole(mount: String, roleIDFile: String, secretIDFile: String?, isWrapped: Bool)
        /// Kubernetes: a role, and the file of a service account's token.
        case kubernetes(mount: String, role: String, tokenFile: String)
        /// JWT: a role, and a file with a signed token.
        case jwt(mount: String, role: String, tokenFile: String)
        /// TLS: the client certificate of `tls`; nil as role: whichever fits.
        case certificate(mount: String, role: String?)
    }

    /// The backend's name in the configuration.
    public var name: String
    /// `https://host:port` of the server, or of what stands before several.
    public var address: String
    /// Other servers of the same Vault: asked when the first does not answer, and redirects may lead there.
    public var otherAddresses: [String] = []
    /// Nil: the root namespace.
    public var namespace: String?
    /// Where the transit engine is mounted.
    public var mount = "transit"
    /// The sealing key's name.
    public var key: String
    /// How this node logs in.
    public var login: Login
    /// PEM, absolute path of the certificates that are trusted; nil: the system's.
    public var caFile: String?
    /// PEM, absolute paths of a client certificate and its key; both or none.
    public var certificateFile: String?
    /// See `certificateFile`.
    public var keyFile: String?
    /// Whose certificate is expected, if it is not the address's host.
    public var serverName: String?
    /// `http://host:port`; nil: no proxy, whatever the environment says.
    public var proxy: String?

    /// A configuration with defaults.
    public init(name: String, address: String, key: String, login: Login) {
        self.name = name
        self.address = address
        self.key = key
        self.login = login
    }
}

/// A configuration that was found sound.
struct CheckedConfiguration: Sendable {
    let name: String
    let addresses: [VaultAddress]
    let namespace: String?
    let mount: String
    let key: String
    let login: VaultConfiguration.Login
    let transport: TransportOptions

    /// Opens nothing and reads no file.
    init(_ raw: VaultConfiguration) throws(VaultError) {
        name = raw.name
        var addresses: [VaultAddress] = []
        for text in [raw.address] + raw.otherAddresses { addresses.append(try VaultAddress(text)) }
        self.addresses = addresses
        namespace = try raw.namespace.map { (text) throws(VaultError) in try Self.path(text, "namespace") }
        mount = try Self.path(raw.mount, "mount")
        key = try Self.name(raw.key, "key")
        login = try Self.check(raw.login)
        for (file, what) in [
            (raw.caFile, "caFile"), (raw.certificateFile, "certificateFile"), (raw.keyFile, "keyFile"),
        ] {
            if let file { try Self.checkFile(file, what) }
        }
        guard (raw.certificateFile == nil) == (raw.keyFile == nil) else {
            throw VaultError(
                .configuration, "tls has a certificate without its key, or a key without its certificate",
                hint: "set certificateFile and keyFile")
        }
        if case .certificate = raw.login {
            guard raw.certificateFile != nil, addresses.allSatisfy(\.isEncrypted) else {
                throw VaultError(
                    .configuration, "login by certificate needs https, and a client certificate",
                    hint: "set tls.certificateFile and tls.keyFile")
            }
        }
        if let proxy = raw.proxy, !proxy.hasPrefix("http://") && !proxy.hasPrefix("https://") || proxy.contains("@") {
            throw VaultError(
                .configuration, "the proxy is no http URL without a user", hint: "such as http://proxy:3128")
        }
        guard raw.proxy == nil || addresses.allSatisfy(\.isEncrypted) else {
            throw VaultError(
                .configuration, "an http address beside a proxy would send tokens and keys through it in clear",
                hint: "use https, or leave proxy out: this machine's loopback needs none")
        }
        let serverName = try raw.serverName.map { (text) throws(VaultError) in try VaultAddress("https://\(text)").host
        }
        transport = TransportOptions(
            caFile: raw.caFile, certificateFile: raw.certificateFile, keyFile: raw.keyFile, serverName: serverName,
            proxy: raw.proxy)
    }

    /// The namespace and the mount, as one path: the same engine whichever of them says it.
    var fullMount: String { namespace.map { "\($0)/\(mount)" } ?? mount }

    private static func check(_ login: VaultConfiguration.Login) throws(VaultError) -> VaultConfiguration.Login {
        switch login {
        case .tokenFile(let file):
            try checkFile(file, "tokenFile")
            return login
        case .appRole(let mount, let roleID, let secretID, let isWrapped):
            try checkFile(roleID, "roleIDFile")
            if let secretID { try checkFile(secretID, "secretIDFile") }
            guard !isWrapped || secretID != nil else {
                throw VaultError(.configuration, "a wrapped secret ID needs its file", hint: "set secretIDFile")
            }
            return .appRole(
                mount: try path(mount, "appRole.mount"), roleIDFile: roleID, secretIDFile: secretID,
                isWrapped: isWrapped)
        case .kubernetes(let mount, let role, let file):
            try checkFile(file, "kubernetes.tokenFile")
            return .kubernetes(
                mount: try path(mount, "kubernetes.mount"), role: try name(role, "kubernetes.role"), tokenFile: file)
        case .jwt(let mount, let role, let file):
            try checkFile(file, "jwt.tokenFile")
            return .jwt(mount: try path(mount, "jwt.mount"), role: try name(role, "jwt.role"), tokenFile: file)
        case .certificate(let mount, let role):
            let role = try role.map { (text) throws(VaultError) in try name(text, "certificate.role") }
            return .certificate(mount: try path(mount, "certificate.mount"), role: role)
        }
    }

    private static func checkFile(_ path: String, _ what: String) throws(VaultError) {
        guard path.hasPrefix("/"), !path.utf8.contains(0) else {
            throw VaultError(.configuration, "\(what) is not an absolute path", hint: "write the whole path, from / on")
        }
    }

    /// What Vault takes as the name of a key or role, and needs no escape in a URL or in JSON.
    private static func name(_ text: String, _ what: String) throws(VaultError) -> String {
        let isName =
            1...128 ~= text.utf8.count && text != "." && text != ".."
            && text.unicodeScalars.allSatisfy { scalar in
                switch scalar {
                case "a"..."z", "A"..."Z", "0"..."9", "-", "_", ".": true
                default: false
                }
            }
        guard isName else {
            throw VaultError(
                .configuration, "\(what) \(JSONText.quote(ServerText.shorten(text))) is no name",
                hint: "letters, digits and - _ . only, at most 128")
        }
        return text
    }

    /// Names, separated by slashes; a slash at the end is dropped.
    private static func path(_ text: String, _ what: String) throws(VaultError) -> String {
        let path = text.hasSuffix("/") ? text.dropLast() : text[...]
        guard path.utf8.count <= 128 else {
            throw VaultError(.configuration, "\(what) is longer than 128 bytes")
        }
        for part in path.split(separator: "/", omittingEmptySubsequences: false) { _ = try name(String(part), what) }
        return String(path)
    }
}
