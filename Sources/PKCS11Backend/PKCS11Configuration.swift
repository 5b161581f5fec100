/// What one PKCS#11 backend needs to know. Secrets are only references to files.
public struct PKCS11Configuration: Sendable {
    /// The backend's name in the configuration.
    public var name: String
    /// Absolute path of the PKCS#11 module; empty when the URI carries `module-path`.
    public var module: String
    /// RFC 7512 URI that selects token and key: `pkcs11:token=trousseau;object=kek-sealer`.
    public var key: String
    /// An absolute path or `file:/path` of the file that holds the PIN; nil when the URI carries `pin-source`, or when
    /// the token has a keypad of its own (protected authentication path) or wants no login.
    public var pinSource: String?
    /// An existing folder, absolute: the PIN guard remembers refused PINs there (never a PIN, nor a hash of one).
    public var guardDirectory: String
    /// Sessions and threads at most, 1 to 16; the token's own limit counts too.
    public var maxSessions = 4
    /// Use an existing key although its attributes do not protect it.
    public var allowUnsafeKey = false
    /// Log in although the token says that only few attempts are left.
    public var allowPINCountLow = false
    /// Accept a PIN that stands in the URI.
    public var allowPINValue = false

    /// Seal by RSA-OAEP with SHA-1 when the token has it with no other hash.
    public var allowSHA1OAEP = false

    /// A configuration with default limits.
    public init(name: String, module: String, key: String, pinSource: String?, guardDirectory: String) {
        self.name = name
        self.module = module
        self.key = key
        self.pinSource = pinSource
        self.guardDirectory = guardDirectory
    }
}

/// A configuration that was found sound.
struct CheckedConfiguration: Sendable {
    let name: String
    let modulePath: String
    let uri: KeyURI
    let pin: PINSource?
    let guardDirectory: String
    let maxSessions: Int
    let allowUnsafeKey: Bool
    let allowPINCountLow: Bool
    let allowSHA1OAEP: Bool

    /// Opens nothing and reads no file.
    init(_ raw: PKCS11Configuration) throws(PKCS11Error) {
        name = raw.name
        uri = try KeyURI(raw.key, allowPINValue: raw.allowPINValue)
        modulePath = raw.module.isEmpty ? uri.modulePath ?? "" : raw.module
        if !raw.module.isEmpty, let other = uri.modulePath, other != raw.module {
            throw PKCS11Error(
                .configuration, "module is \(raw.module), but the URI's module-path is \(other)", hint: "remove one")
        }
        guard modulePath.hasPrefix("/"), !modulePath.utf8.contains(0) else {
            throw PKCS11Error(
                .configuration, "module \"\(modulePath)\" is not an absolute path",
                hint: "name the HSM's library, such as /usr/lib/softhsm/libsofthsm2.so")
        }
        guard raw.guardDirectory.hasPrefix("/"), !raw.guardDirectory.utf8.contains(0) else {
            throw PKCS11Error(.configuration, "guardDirectory \"\(raw.guardDirectory)\" is not an absolute path")
        }
        guard 1...16 ~= raw.maxSessions else {
            throw PKCS11Error(.configuration, "maxSessions is \(raw.maxSessions), not 1 to 16")
        }
        let sources = [raw.pinSource, uri.pinSource].compactMap { $0 }
        guard sources.count + (uri.hasPINValue ? 1 : 0) <= 1 else {
            throw PKCS11Error(.configuration, "more than one source of the PIN is named", hint: "keep pinSource only")
        }
        if let source = sources.first {
            pin = try PINSource(source)
        } else {
            pin = uri.hasPINValue ? .inline(uri: raw.key) : nil
        }
        guardDirectory = raw.guardDirectory
        maxSessions = raw.maxSessions
        allowUnsafeKey = raw.allowUnsafeKey
        allowPINCountLow = raw.allowPINCountLow
        allowSHA1OAEP = raw.allowSHA1OAEP
    }
}
