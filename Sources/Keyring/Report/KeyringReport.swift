internal import Crypto

/// Everything that `trousseau status` shows: of a running plugin, or of the files when none runs. Everything in it may be
/// printed. Ages are by a monotonic clock.
public struct KeyringReport: Sendable {
    /// The keyring's name.
    public var name: String
    /// 16 bytes.
    public var keyringID: [UInt8]
    /// The keyring's directory.
    public var directory: String
    /// How far it has come.
    public var state: KeyringState
    /// The active key_id; nil when there is none yet.
    public var keyID: String?
    /// In ascending order of generations.
    public var keks: [KEKReport] = []
    /// In the order of unsealing; empty when no plugin runs.
    public var backends: [BackendReport] = []
    /// What the policies of the active KEK's seals ask for, where that was asked: `KeyringService.policies(until:)`.
    public var policies: [PolicyReport] = []
    /// The recipients of the active KEK's seals, of files only.
    public private(set) var activeRecipients: [Recipient] = []
    /// Files that were left alone.
    public var damagedFiles: [DamagedFile] = []
    /// Bytes of the annotation that is stored with every object.
    public var publicationSize: Int?
    /// What was answered; nil when no plugin runs.
    public var requests: RequestCounts?
    /// Bytes in use on this process's secure heap; nil when no plugin runs.
    public var secureHeapUsed: Int?
    /// What an operator should know, a sentence each.
    public var warnings: [String] = []

    /// A report of a keyring, to be filled.
    public init(name: String, keyringID: [UInt8], directory: String, state: KeyringState) {
        self.name = name
        self.keyringID = keyringID
        self.directory = directory
        self.state = state
    }

    /// The report of a keyring that no plugin serves, from its files alone. Takes no lock and changes nothing.
    ///
    /// - Throws: `store`, when the directory cannot be read or holds no usable roles.
    public static func reading(directory: String) throws(KeyringError) -> KeyringReport {
        do throws(StoreError) {
            let stored = try KeyringStore.open(directory, readOnly: true).load()
            let roles = try stored.requireRoles()
            var state = KeyringState(.stopped, reason: "no plugin serves this keyring")
            do throws(StoreError) {
                _ = try stored.requireActive()
            } catch {
                state = KeyringState(.stopped, reason: "\(error.path): \(error.reason)", hint: error.hint)
            }
            var report = KeyringReport(
                name: roles.keyring.name, keyringID: roles.keyring.keyringID, directory: directory, state: state)
            report.damagedFiles = stored.damaged
            report.keks = stored.records.map { KEKReport($0, stored, roles) }
            let active = roles.active.kekID
            report.activeRecipients =
                stored.localSeals(of: active).map(\.recipient)
                + (stored.record(of: active)?.record.liveSeals ?? []).map(\.recipient)
            return report
        } catch {
            throw KeyringError(error)
        }
    }
}

extension KEKReport.Role {
    init(_ kekID: KEKID, _ roles: Roles) {
        switch kekID {
        case roles.active.kekID: self = .active
        case roles.prepared?.kekID: self = .prepared
        default: self = .decryptsOnly
        }
    }
}

extension KEKReport {
    fileprivate init(_ stored: StoredRecord, _ keyring: StoredKeyring, _ roles: Roles) {
        let identity = stored.record.identity
        self.init(
            generation: identity.generation, kekID: identity.kekID, role: Role(identity.kekID, roles),
            created: identity.created, file: stored.file)
        seals = keyring.localSeals(of: identity.kekID).map {
            SealReport(
                recipientID: $0.recipient.id, kind: $0.recipient.kind, backend: nil, isLocal: true, state: .unverified)
        }
        seals += stored.record.seals.map {
            SealReport(
                recipientID: $0.recipientID, kind: $0.kind, backend: nil,
                state: $0.isTombstone ? .tombstone : .unverified)
        }
    }
}
