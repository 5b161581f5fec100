internal import Synchronization

/// A keyring in service: opens its KEKs through the sealing chain once, then encrypts and decrypts from memory.
///
/// Requests read one immutable `Snapshot`; everything else is behind one lock and happens in tasks (`run`).
public final class KeyringService: Sendable {
    /// The keyring's directory.
    public let directory: String
    let name: String
    let chain: SealingChain
    let minimumSeals: Int
    /// KEKs that the operator vouches for.
    let trustedKeyIDs: [KeyID]
    let log: Log
    let pacing: Pacing
    let state: Mutex<ServiceState>
    /// Nil after the shutdown: the lock on the directory goes with it.
    let store: Mutex<KeyringStore?>
    /// One change to the active record at a time.
    let changing = Mutex(())
    /// One for each member of the chain.
    let turns: [Turn]
    /// Whether a `reseal` is under way.
    let isResealing = Mutex(false)
    private let onChange: @Sendable (KeyringState) -> Void
    let snapshot: Mutex<Snapshot>
    let counters = RequestCounters()
    let policyWatch = PolicyWatch()

    /// Opens the store with its lock and reads the files; asks no device.
    ///
    /// - Parameters:
    ///   - name: the keyring's own name.
    ///   - minimumSeals: how many seals the active KEK is to have that a backend can open; nil for one by each that
    ///     seals and opens.
    ///   - trustedKeyIDs: KEKs that may be opened through seals that anyone could have made: the operator's word, from a
    ///     file that whoever writes to the keyring's directory cannot change.
    ///   - onChange: told, one after the other, of each change of the state `report()` gives.
    /// - Throws: `store` (also `rollback`: a later generation was active here), `name`.
    public convenience init(
        directory: String, name: String, chain: SealingChain, minimumSeals: Int?, trustedKeyIDs: [KeyID], log: Log,
        onChange: @escaping @Sendable (KeyringState) -> Void
    ) throws(KeyringError) {
        try self.init(
            directory: directory, name: name, chain: chain, minimumSeals: minimumSeals, trustedKeyIDs: trustedKeyIDs,
            log: log, pacing: Pacing(), onChange: onChange)
    }

    /// A service that logs nothing and shows each step of a change to the files, for tests that end the process there.
    package convenience init(
        directory: String, name: String, chain: SealingChain, observer: @escaping StoreObserver
    ) throws(KeyringError) {
        try self.init(
            directory: directory, name: name, chain: chain, minimumSeals: nil, log: .none, pacing: Pacing(),
            observer: observer, onChange: { _ in })
    }

    init(
        directory: String, name: String, chain: SealingChain, minimumSeals: Int?, trustedKeyIDs: [KeyID] = [],
        log: Log, pacing: Pacing, observer: @escaping StoreObserver = { _ in },
        onChange: @escaping @Sendable (KeyringState) -> Void
    ) throws(KeyringError) {
        let opened: (store: KeyringStore, stored: StoredKeyring, roles: Roles)
        do throws(StoreError) {
            let store = try KeyringStore.open(directory, readOnly: false, observer: observer)
            let stored = try store.load()
            opened = (store, stored, try stored.requireActive().roles)
        } catch {
            throw KeyringError(error)
        }
        guard opened.roles.keyring.name == name else {
            throw KeyringError(
                .name, "the keyring in \(directory) is \"\(opened.roles.keyring.name)\", not \"\(name)\"",
                hint: "set keyring.name to \"\(opened.roles.keyring.name)\", or name another keyring.directory")
        }
        for file in opened.stored.damaged {
            log(
                .error, "a file of the keyring is damaged and was left alone", ("file", file.file),
                ("reason", file.reason))
        }
        self.directory = directory
        self.name = name
        self.chain = chain.paced(by: pacing)
        self.minimumSeals = minimumSeals ?? chain.members.count { !$0.unsealOnly && $0.backend.canUnseal }
        self.trustedKeyIDs = trustedKeyIDs
        self.log = log
        self.pacing = pacing
        self.onChange = onChange
        let state = ServiceState(opened.stored, opened.roles, members: chain.members.count)
        turns = chain.members.map { _ in Turn() }
        self.state = Mutex(state)
        store = Mutex(opened.store)
        snapshot = Mutex(state.snapshot())
        for (index, member) in self.chain.members.enumerated() {
            member.breaker.observe { [weak self] change, error in self?.noted(index, change, error) }
        }
    }

    /// Opens the active KEK, then the others, and looks after seals and backends; returns when its task is cancelled.
    public func run() async {
        guard await openActive() else { return }
        await withDiscardingTaskGroup { group in
            group.addTask { await self.openOthers() }
            for member in chain.members.indices {
                group.addTask { await self.maintain(member) }
            }
        }
    }

    /// Shuts the backends down and gives the lock on the directory back. Afterwards every request is refused.
    ///
    /// - Parameter until: returns then at the latest, or a tenth of a second later.
    public func shutdown(until: ContinuousClock.Instant) async {
        let waiters = change { $0.shutDown() }
        for waiter in waiters { waiter.finish(.failure(ServiceState.shutDown)) }
        await chain.shutdown(until: until)
        store.withLock { $0 = nil }
        onChange(state.withLock { $0.phase })
    }

    /// Changes the state, and what requests see with it.
    func change<Answer>(_ body: (inout ServiceState) -> Answer) -> Answer {
        state.withLock { state in
            let answer = body(&state)
            let next = state.snapshot()
            snapshot.withLock { $0 = next }
            return answer
        }
    }

    /// Says how far the keyring has come, to the log's and the owner's knowledge.
    func enter(_ phase: KeyringState) {
        if let changed = change({ $0.enter(phase) }) { onChange(changed) }
    }

    /// Says that a backend fails or is back, to the log and to what depends on it.
    private func noted(_ member: Int, _ change: CallHistory.Change, _ error: SealingError?) {
        let name = chain.members[member].backend.name
        switch change {
        case .none: break
        case .recovered:
            state.withLock { $0.recovered(member) }
            log(.info, "a backend is back", ("backend", name))
        case .failed:
            log(
                .warning, "a backend fails", ("backend", name), ("class", error?.errorClass.rawValue ?? ""),
                ("reason", error.map { "\($0)" } ?? ""))
        }
    }
}
