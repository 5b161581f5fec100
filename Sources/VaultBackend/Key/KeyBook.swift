internal import Keyring
internal import Synchronization

/// What this process has learnt about its key: how Vault shows it, and by which recipients the keyring knows it.
///
/// Raising a key's minimum version hides the version that a recipient is known by. The recipient stays the same as long as
/// each look at the key shows a version that the look before showed, made at the same time, back to one at which the pinned
/// version was shown or a seal to the recipient opened. A key that was made anew breaks this chain.
final class KeyBook: Sendable {
    /// As many recipients as a record has.
    private static let limit = 32

    private struct Entry {
        let description: KeyDescription
        let recipient: Recipient
        /// The versions of this key and when they were made, as they were shown last; empty: nothing is proven.
        var known: [Int: Int64] = [:]

        func match(_ key: TransitKey) -> KeyDescription.Match {
            let match = description.match(key)
            return match == .unknown && key.continues(known) ? .same : match
        }
    }

    private struct State {
        var key: TransitKey?
        var entries: [Entry] = []
    }

    private let mount: String
    private let name: String
    private let state = Mutex(State())

    init(mount: String, name: String) {
        self.mount = mount
        self.name = name
    }

    /// As it was shown last.
    var key: TransitKey? { state.withLock { $0.key } }

    /// Vault shows it so now.
    func update(_ key: TransitKey?) {
        state.withLock { state in
            state.key = key
            guard let key else { return }
            for index in state.entries.indices where state.entries[index].match(key) == .same {
                state.entries[index].known = key.created
            }
        }
    }

    /// Whether a recipient could be this key, as far as can be told without Vault.
    func serves(_ recipient: Recipient) -> Bool {
        guard let description = describe(recipient) else { return false }
        return state.withLock { state in
            guard let key = state.key else { return true }
            return description.match(key) != .other
        }
    }

    /// Whether a recipient is the key that was shown; one that is known to be does not need its pinned version for that.
    func match(_ recipient: Recipient, _ key: TransitKey) -> KeyDescription.Match {
        guard let description = describe(recipient) else { return .other }
        return state.withLock { state in
            guard let index = state.entries.firstIndex(where: { $0.description == description }) else {
                return description.match(key)
            }
            let match = state.entries[index].match(key)
            if match == .same { state.entries[index].known = key.created }
            return match
        }
    }

    /// A seal to this recipient has opened by the key that was shown so, and held the KEK that it names.
    func prove(_ recipient: Recipient, by key: TransitKey) {
        guard let description = describe(recipient), description.match(key) != .other else { return }
        state.withLock { state in
            for index in state.entries.indices where state.entries[index].description == description {
                state.entries[index].known = key.created
            }
        }
    }

    /// The recipient of the key that was shown: one that the keyring knows it by, or else a new one.
    func recipient(of key: TransitKey) throws(VaultError) -> Recipient {
        let known = state.withLock { state in
            state.entries.filter { $0.match(key) == .same }
                .min { $0.description.version < $1.description.version }
        }
        if let known { return known.recipient }
        guard let description = KeyDescription(key, mount: mount, name: name) else {
            throw VaultError(.keyRefused, "key \(name) has no version with a creation time")
        }
        return try description.recipient()
    }

    /// Its description, if it is of this mount and name and the one that its ID was made from; remembered then.
    private func describe(_ recipient: Recipient) -> KeyDescription? {
        guard recipient.kind == KeyDescription.kind, let description = KeyDescription(recipient.description),
            description.mount == mount, description.key == name,
            (try? description.recipient().id) == recipient.id
        else { return nil }
        state.withLock { state in
            guard !state.entries.contains(where: { $0.description == description }),
                state.entries.count < KeyBook.limit
            else { return }
            state.entries.append(Entry(description: description, recipient: recipient))
        }
        return description
    }
}
