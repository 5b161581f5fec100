/// Everything of a keyring in service that changes; behind one lock. What its functions return is done outside.
struct ServiceState: Sendable {
    /// Which KEK is active. Fixed from when that KEK is open.
    var roles: Roles
    /// Every KEK that has a usable record on disk.
    var keks: [KEKID: KEKState] = [:]
    /// By which keys the backends are known; their MAC is not checked yet.
    var pins: Pins?
    /// Files that were left alone.
    var damaged: [DamagedFile]
    /// One for each member of the chain.
    var health: [BackendHealth]
    var phase = KeyringState(.opening)
    /// What the active KEK encrypts under; nil until it may.
    private(set) var publication: Publication?
    private(set) var active: Snapshot.Active?
    private(set) var isShutDown = false
    private var lastWaiter: UInt64 = 0

    init(_ stored: StoredKeyring, _ roles: Roles, members: Int) {
        self.roles = roles
        damaged = stored.damaged
        health = Array(repeating: BackendHealth(), count: members)
        take(stored)
    }

    /// The active KEK, if it is open.
    var activeKEK: OpenedKEK? { keks[roles.active.kekID]?.opened }

    /// The KEKs that this node believes.
    var trusted: [TrustedKEK] { keks.values.compactMap { $0.opened?.trusted } }

    /// The open KEKs: the active one, then the others from the latest on.
    var open: [OpenedKEK] {
        keks.values.compactMap(\.opened).sorted { a, b in
            let (a, b) = (a.trusted.identity, b.trusted.identity)
            if a.kekID == roles.active.kekID || b.kekID == roles.active.kekID {
                return a.kekID == roles.active.kekID && b.kekID != roles.active.kekID
            }
            return a.generation > b.generation
        }
    }

    /// The KEKs to be opened once the active one is: the prepared one, then the others from the latest on.
    var closed: [KEKID] {
        keks.values.filter { $0.opened == nil }.map(\.record.identity).sorted { a, b in
            if a.kekID == roles.prepared?.kekID { return true }
            if b.kekID == roles.prepared?.kekID { return false }
            return a.generation > b.generation
        }.map(\.kekID)
    }

    /// Takes what the files say now; KEKs that are open stay as they are.
    mutating func take(_ stored: StoredKeyring) {
        damaged = stored.damaged
        if activeKEK == nil { pins = stored.pins }
        var gone = Set(keks.keys)
        for record in stored.records {
            let kekID = record.record.identity.kekID
            let local = stored.localSeals(of: kekID)
            gone.remove(kekID)
            if keks[kekID] == nil { keks[kekID] = KEKState(record, local: local) }
            if keks[kekID]?.opened == nil {
                keks[kekID]?.record = record.record
                keks[kekID]?.local = local
            }
        }
        for kekID in gone where keks[kekID]?.opened == nil && keks[kekID]?.isOpening == false { keks[kekID] = nil }
    }

    /// Lines up for a KEK.
    mutating func join(
        _ kekID: KEKID, _ waiter: KEKState.Waiter, isForced: Bool, now: ContinuousClock.Instant
    ) -> (ticket: UInt64, step: KEKState.Step) {
        lastWaiter += 1
        guard !isShutDown else { return (lastWaiter, .take(.failure(ServiceState.shutDown))) }
        guard let step = keks[kekID]?.join(lastWaiter, waiter, isForced: isForced, now: now) else {
            let trouble = Trouble(
                .failedPrecondition, "the record of KEK \(kekID) is gone",
                hint: "restore it from a backup of the whole directory", .operatorMustAct)
            return (lastWaiter, .take(.failure(trouble)))
        }
        return (lastWaiter, step)
    }

    /// Notes how the opening of a KEK ended.
    ///
    /// - Returns: those who are to be told, and what.
    mutating func finish(
        _ kekID: KEKID, _ result: Result<OpenedKEK, Trouble>, _ pacing: Pacing
    ) -> (waiters: [KEKState.Waiter], result: Result<OpenedKEK, Trouble>) {
        let result = isShutDown ? .failure(ServiceState.shutDown) : result
        return (keks[kekID]?.finish(result, pacing) ?? [], result)
    }

    /// A backend that is back may be another device: it is asked again what it refused for good.
    mutating func recovered(_ member: Int) {
        health[member].recipients = nil
        health[member].askAt = nil
        health[member].localRecipients = nil
        for kekID in keks.keys { keks[kekID]?.forgetRefusals(of: member) }
    }

    /// Changes how far the keyring has come.
    ///
    /// - Returns: the new state, if it is another one.
    mutating func enter(_ phase: KeyringState) -> KeyringState? {
        guard !isShutDown, self.phase != phase else { return nil }
        self.phase = phase
        return phase
    }

    /// Takes a publication for what is encrypted from now on.
    mutating func publish(_ publication: Publication, under kek: OpenedKEK) {
        guard !isShutDown, publication != self.publication else { return }
        self.publication = publication
        active = Snapshot.Active(
            kek.cipher, CurrentPublication(keyID: publication.keyID().text, annotation: publication.encoded))
    }

    /// Answers nothing from now on.
    mutating func shutDown() -> [KEKState.Waiter] {
        isShutDown = true
        phase = KeyringState(.stopped, reason: "the plugin is shutting down")
        active = nil
        var waiters: [KEKState.Waiter] = []
        for kekID in keks.keys { waiters += keks[kekID]?.close() ?? [] }
        return waiters
    }

    static let shutDown = Trouble(.unavailable, "the plugin is shutting down", hint: nil, .retry)

    /// What requests see.
    func snapshot() -> Snapshot {
        let text = phase.reason ?? "the active KEK is being opened"
        let refusal = ServiceError(
            phase.phase == .blocked ? .failedPrecondition : .unavailable, phase.hint.map { "\(text); \($0)" } ?? text)
        var unknown = "no record of the ciphertext's KEK is here; was init run on two nodes?"
        if !damaged.isEmpty {
            unknown += " Damaged files of the keyring: \(damaged.map(\.file).joined(separator: ", "))"
        }
        return Snapshot(
            active: active, refusal: refusal,
            unknownKEK: isShutDown ? refusal : ServiceError(.notFound, unknown),
            entries: isShutDown ? [] : keks.values.map { Snapshot.Entry($0.record.identity, $0.opened?.cipher) })
    }
}
