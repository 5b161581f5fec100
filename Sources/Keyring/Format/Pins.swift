/// By which sealing keys this node's backends are known: only these get seals without an operator's command. Kept in the
/// store, authenticated by the active KEK.
///
/// Whoever puts a device of his own in a backend's place does not get a KEK by waiting: its key is not pinned.
public struct Pins: Sendable, Hashable {
    /// One backend.
    public struct Entry: Sendable, Hashable {
        /// The configuration's name for it.
        public let backend: String
        /// The IDs of its recipients, in ascending order. None when an operator wanted seals of a backend that did not
        /// answer: the first key that it tells is then its own.
        public let recipients: [String]

        init(_ backend: String, _ recipients: some Sequence<String>) {
            self.backend = backend
            self.recipients = Array(Set(recipients)).sorted()
        }
    }

    /// The keyring.
    public let keyring: KeyringIdentity
    /// The KEK that authenticates them.
    public let kekID: KEKID
    /// In ascending order of names.
    public let entries: [Entry]
    /// 32 bytes: HMAC-SHA256 under the KEK's key "publication".
    public let mac: [UInt8]

    static let domain = Array("trousseau pins v1".utf8)

    /// Makes pins and their MAC.
    ///
    /// - Throws: `conflict` when `kek` is another one than the identity's or a name stands there twice; `malformed` for
    ///   names and IDs that cannot be stored; `cryptography`.
    init(_ identity: Identity, _ entries: [Entry], under kek: KEK) throws(FormatError) {
        guard kek.matches(identity.kekID) else { throw FormatError(.conflict, "pins", "the active KEK is another one") }
        let entries = entries.sorted { $0.backend < $1.backend }
        try Pins.check(entries)
        keyring = identity.keyring
        kekID = identity.kekID
        self.entries = entries
        do {
            mac = try kek.authenticate(Pins.parts(keyring, kekID, entries), for: .publication)
        } catch {
            throw FormatError(error, "pins")
        }
    }

    /// Pins as they were read.
    init(keyring: KeyringIdentity, kekID: KEKID, entries: [Entry], mac: [UInt8]) throws(FormatError) {
        try Pins.check(entries)
        self.keyring = keyring
        self.kekID = kekID
        self.entries = entries
        self.mac = mac
    }

    /// Whether the KEK made these pins. False when libcrypto fails.
    public func isAuthentic(under kek: KEK) -> Bool {
        kek.matches(kekID) && kek.verify(mac, of: Pins.parts(keyring, kekID, entries), for: .publication)
    }

    /// By which keys a backend is known; nil when it is not known at all.
    public func recipients(of backend: String) -> [String]? {
        entries.first { $0.backend == backend }?.recipients
    }

    /// Domain, keyring ID, kekID, then of each backend its name and its recipients' IDs, separated by commas.
    private static func parts(_ keyring: KeyringIdentity, _ kekID: KEKID, _ entries: [Entry]) -> [[UInt8]] {
        [domain, keyring.keyringID, kekID.bytes]
            + entries.flatMap { [Array($0.backend.utf8), Array($0.recipients.joined(separator: ",").utf8)] }
    }

    private static func check(_ entries: [Entry]) throws(FormatError) {
        for (a, b) in zip(entries, entries.dropFirst()) where !(a.backend < b.backend) {
            throw FormatError(.conflict, "pins", "a backend stands there twice or out of order")
        }
        for entry in entries {
            let isName = !entry.backend.isEmpty && entry.backend.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7f }
            guard isName else { throw FormatError(.malformed, "pins", "a backend's name is not one word") }
            for id in entry.recipients {
                let kind = id.prefix { $0 != ":" }
                try RecipientRules.check(id: Array(id.utf8), kind: Array(kind.utf8))
            }
        }
    }
}
