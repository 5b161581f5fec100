internal import Keyring

/// What one TPM backend needs to know. Secrets are only references to files.
public struct TPMConfiguration: Sendable {
    /// The backend's name in the configuration.
    public var name: String
    /// Which TPM, as a TCTI configuration of tpm2-tss: `device:/dev/tpmrm0`, `swtpm:path=/run/tpm/sock`. Key `device`.
    public var tcti = TPMConfiguration.defaultTCTI
    /// An existing folder, absolute: the pinned storage root key is kept there, and what the PIN guard remembers (never a
    /// PIN, nor a hash of one).
    public var stateDirectory: String
    /// What the TPM's state has to be for a seal to open.
    public var policy = TPMPolicy.none
    /// An absolute path or `file:/path` of the file that holds a PIN, 1 to 32 bytes; nil for none. With a PIN there are no
    /// seals for the shared record, whose makers do not know it.
    public var pinSource: String?
    /// How long an unused TPM is kept open.
    public var idleClose = Duration.seconds(3)

    /// The kernel's resource manager.
    public static let defaultTCTI = "device:/dev/tpmrm0"

    /// A configuration with defaults.
    public init(name: String, stateDirectory: String) {
        self.name = name
        self.stateDirectory = stateDirectory
    }
}

/// A configuration that was found sound.
struct CheckedConfiguration: Sendable {
    let name: String
    let tcti: String
    let stateDirectory: String
    let policy: TPMPolicy
    let pin: PINFile?
    let idleClose: Duration

    /// Opens nothing and reads no file.
    init(_ raw: TPMConfiguration) throws(TPMError) {
        name = raw.name
        // It becomes part of a file's name.
        guard !name.isEmpty, name.utf8.count <= 63, name.utf8.allSatisfy(CheckedConfiguration.isLabel) else {
            throw TPMError(.configuration, "\"\(name)\" is no name for a backend")
        }
        tcti = raw.tcti
        // Without a name of a TCTI the library tries all that it knows, down to a TPM in software on localhost.
        guard let colon = tcti.firstIndex(of: ":"), colon != tcti.startIndex, !tcti.utf8.contains(0) else {
            throw TPMError(
                .configuration, "device \"\(tcti)\" is not a TCTI and its configuration",
                hint: "such as \(TPMConfiguration.defaultTCTI)")
        }
        // With nothing behind the name the library takes what it has compiled in: /dev/tpm0, or localhost.
        let rest = tcti[tcti.index(after: colon)...]
        guard !rest.isEmpty, tcti[..<colon] != "device" || rest.hasPrefix("/") else {
            throw TPMError(
                .configuration, "device \"\(tcti)\" does not say which TPM",
                hint: "such as \(TPMConfiguration.defaultTCTI), or swtpm:path=/run/tpm/sock")
        }
        stateDirectory = raw.stateDirectory
        guard stateDirectory.hasPrefix("/"), !stateDirectory.utf8.contains(0) else {
            throw TPMError(.configuration, "stateDirectory \"\(stateDirectory)\" is not an absolute path")
        }
        policy = raw.policy
        do throws(PINFailure) {
            pin = try raw.pinSource.map { (text) throws(PINFailure) in try PINFile(text) }
        } catch {
            throw TPMError(error)
        }
        idleClose = raw.idleClose
    }

    private static func isLabel(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}
