/// What the configuration file says. Only values: nothing was opened for it but /etc/passwd and /etc/group.
public struct PluginConfiguration: Sendable, Equatable {
    /// The `apiVersion` that this version reads.
    public static let apiVersion = "trousseau/v1alpha1"
    /// The only `kind`.
    public static let kind = "PluginConfiguration"

    /// Where the KEKs are.
    public var keyring: Keyring
    /// The sockets, and the process.
    public var server: Server
    /// At least one, in the order of unsealing.
    public var backends: [Backend]
    /// Nil: off.
    public var metrics: Metrics?
    /// What `serve` writes to standard error.
    public var log: Log

    /// The section `metrics`.
    public struct Metrics: Sendable, Equatable {
        /// Where metrics and probes are served, on this machine only.
        public var listen: Listen

        /// An address of this machine.
        public enum Listen: Sendable, Equatable {
            /// One of 127.0.0.0/8, as 32 bits in host order.
            case ipv4(UInt32, port: UInt16)
            /// ::1.
            case ipv6Loopback(port: UInt16)
            /// The absolute path of a Unix socket.
            case unix(String)
        }
    }

    /// The section `log`.
    public struct Log: Sendable, Equatable {
        /// How lines are written.
        public var format = Format.text
        /// What is left out.
        public var level = Level.info

        /// A log of this form.
        public init(format: Format = .text, level: Level = .info) {
            self.format = format
            self.level = level
        }

        /// How lines are written.
        public enum Format: String, Sendable, CaseIterable {
            case text, json
        }

        /// The least that is written.
        public enum Level: String, Sendable, CaseIterable {
            case debug, info, warning, error
        }
    }

    /// The section `keyring`.
    public struct Keyring: Sendable, Equatable {
        /// An RFC 1123 label; stands in every key_id.
        public var name: String
        /// An absolute path.
        public var directory: String
        /// How many verified seals a KEK needs before it may become active; nil: one by each backend that seals.
        public var minimumSeals: Int?
        /// key_ids of KEKs that may be opened through seals that anyone could have made.
        public var trustedKeyIDs: [String] = []
        /// How long one attempt to open a KEK may take, all backends together; nil: the sum of their deadlines.
        public var openDeadline: Duration?
    }

    /// The section `server`.
    public struct Server: Sendable, Equatable {
        /// Where kube-apiserver connects.
        public var socket: Socket
        /// Where `trousseau status` and `trousseau stop` connect.
        public var control: Socket
        /// Go on, with keys that may reach swap, where memory cannot be locked.
        public var allowUnlockedMemory: Bool
    }

    /// A Unix socket, and who may connect to it.
    public struct Socket: Sendable, Equatable {
        /// An absolute path, or `@name` in the abstract namespace.
        public var path: String
        /// Permission bits; none for others, none to execute.
        public var mode: UInt32
        /// Nil: the plugin's own.
        public var owner: UInt32?
        /// Nil: the plugin's own.
        public var group: UInt32?
        /// Numeric uids that are let in.
        public var allowUsers: [UInt32]
        /// Numeric primary gids that are let in.
        public var allowGroups: [UInt32]

        /// In the abstract namespace, where no file permission guards it.
        public var isAbstract: Bool { path.utf8.first == UInt8(ascii: "@") }
    }

    /// One item of `backends`.
    public struct Backend: Sendable, Equatable {
        /// An RFC 1123 label, unlike any other backend's.
        public var name: String
        /// Opens seals, makes none.
        public var unsealOnly: Bool
        /// How long one operation may take.
        public var deadline: Duration
        /// After this time without an answer the next backend is asked to unseal as well; shorter than `deadline`. Nil:
        /// only then.
        public var hedgeAfter: Duration?
        /// Which device, and how it is reached.
        public var kind: Kind

        /// What kind of backend, with its own section.
        public enum Kind: Sendable, Equatable {
            case pkcs11(PKCS11)
            case tpm(TPM)
            case vault(Vault)
            case recovery(Recovery)
        }

        /// Whether it can open seals here. What is sealed to a recovery key opens elsewhere.
        public var opensSeals: Bool {
            switch kind {
            case .pkcs11, .tpm, .vault: true
            case .recovery: false
            }
        }
    }

    /// The section `recovery` of a backend.
    public struct Recovery: Sendable, Equatable {
        /// The absolute path of a PEM file with the operator's certificate or public key.
        public var certificate: String
    }

    /// The section `tpm` of a backend.
    public struct TPM: Sendable, Equatable {
        /// Which TPM, as a TCTI of tpm2-tss and its configuration.
        public var device: String
        /// The absolute path of the file with the PIN.
        public var pinSource: String?
        /// How long an unused TPM is kept open.
        public var idleClose: Duration
        /// What the TPM's state has to be for a seal to open.
        public var policy: Policy

        /// The section `policy`.
        public enum Policy: Sendable, Equatable {
            /// Nothing.
            case none
            /// Whatever a key has signed: PCRs, and absolute paths of the key and of the signatures, nil for systemd's.
            case signed(pcrs: String?, publicKey: String?, signatures: String?)
            /// One text for each state of the PCRs.
            case literal(pcrs: [String])
        }
    }

    /// The section `pkcs11` of a backend.
    public struct PKCS11: Sendable, Equatable {
        /// The absolute path of the vendor's library.
        public var module: String
        /// An RFC 7512 URI of the sealing key, without a PIN.
        public var key: String
        /// The absolute path of the file with the PIN.
        public var pinSource: String?
        /// Sessions with the token at the same time, 1 to 16.
        public var maxSessions: Int
        /// Use a sealing key whose attributes do not protect it.
        public var allowUnsafeKey: Bool
        /// Log in although the token says that a wrong PIN was tried before.
        public var allowPINCountLow: Bool
        /// Seal by RSA-OAEP with SHA-1 when the token has no other hash for it.
        public var allowSHA1OAEP: Bool
    }
}
