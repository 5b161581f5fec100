import Crypto
import Keyring
import Synchronization

/// A backend whose sealing key is in memory, and which behaves as badly as a test wants.
final class MemoryBackend: SealingBackend {
    /// What a call does.
    enum Behaviour {
        case works
        case fails(SealingError)
        /// Never answers, whatever its deadline.
        case hangs
        /// Opens every seal to another KEK.
        case lies
        /// Answers when the test says so (`release`).
        case waits
    }

    enum Function: Hashable { case recipients, seal, unseal, probe, refresh, diagnose }

    private struct State {
        var behaviour: [Function: Behaviour] = [:]
        var calls: [Function: Int] = [:]
        var held: [CheckedContinuation<Void, Never>] = []
        var watchers: [(function: Function, count: Int, continuation: CheckedContinuation<Void, Never>)] = []
        var running = 0
        var mostRunning = 0
        var isShutDown = false
        var hasKey = true
        var description: [UInt8]
        var claimsAll = false
        /// Of the sealing key, where it has versions.
        var version: UInt8 = 1
        var minimumVersion: UInt8 = 1
        var clock: (@Sendable () -> ContinuousClock.Instant)?
        var times: [ContinuousClock.Instant] = []
    }

    let name: String
    let kind: String
    let isAuthenticating: Bool
    /// Seals then begin with their version.
    let hasKeyVersions: Bool
    private let cipher: XAES256GCM
    private let state: Mutex<State>

    private let key: UInt8

    init(
        _ name: String, kind: String = "memory", key: UInt8 = 1, isAuthenticating: Bool = true, hasKey: Bool = true,
        hasKeyVersions: Bool = false
    ) throws {
        try SecureHeap.initialize(allowUnlocked: true)
        self.name = name
        self.kind = kind
        self.isAuthenticating = isAuthenticating
        self.key = key
        self.hasKeyVersions = hasKeyVersions
        let bytes = [UInt8](repeating: key, count: 32)
        cipher = try bytes.withUnsafeBytes { try XAES256GCM(key: SecretBytes(copying: $0)) }
        state = Mutex(State(hasKey: hasKey, description: [key]))
    }

    /// As it is described today.
    var recipient: Recipient {
        Recipient(id: "\(kind):key\(key)", kind: kind, description: state.withLock { $0.description })
    }

    /// Another one with the same sealing key, as after a restart.
    func again() throws -> MemoryBackend {
        let again = try MemoryBackend(
            name, kind: kind, key: key, isAuthenticating: isAuthenticating, hasKeyVersions: hasKeyVersions)
        let state = state.withLock { $0 }
        again.state.withLock { new in
            new.description = state.description
            (new.version, new.minimumVersion) = (state.version, state.minimumVersion)
        }
        return again
    }

    // MARK: What tests say and ask

    /// From now on `functions` behave so.
    func set(_ behaviour: Behaviour, _ functions: Function...) {
        let functions = functions.isEmpty ? [.recipients, .seal, .unseal, .probe, .refresh] : functions
        state.withLock { state in
            for function in functions { state.behaviour[function] = behaviour }
        }
    }

    /// The same key under another policy, say.
    func describe(as description: [UInt8]) { state.withLock { $0.description = description } }

    /// From now on it takes every key of its kind for its own, as one that does not know its own yet.
    func claimAll() { state.withLock { $0.claimsAll = true } }

    /// Its key gets another version.
    func rotate() { state.withLock { $0.version += 1 } }

    /// Older versions open nothing any more.
    func raiseMinimum() { state.withLock { $0.minimumVersion = $0.version } }

    /// How often it was called.
    func calls(_ function: Function) -> Int { state.withLock { $0.calls[function, default: 0] } }

    /// Writes down when it is called, by a test's clock.
    func time(by clock: @escaping @Sendable () -> ContinuousClock.Instant) { state.withLock { $0.clock = clock } }

    /// When it was called, since it has a clock.
    var times: [ContinuousClock.Instant] { state.withLock { $0.times } }

    /// How many calls were under way at once at most.
    var mostRunning: Int { state.withLock { $0.mostRunning } }

    var isShutDown: Bool { state.withLock { $0.isShutDown } }

    /// Waits for the n-th call of a function to begin.
    func reached(_ function: Function, _ count: Int = 1) async {
        await withCheckedContinuation { continuation in
            let isReached = state.withLock { state in
                if state.calls[function, default: 0] >= count { return true }
                state.watchers.append((function, count, continuation))
                return false
            }
            if isReached { continuation.resume() }
        }
    }

    /// Lets every held call go on, and those to come.
    func release() {
        let held = state.withLock { state in
            for case (let function, .waits) in state.behaviour { state.behaviour[function] = .works }
            defer { state.held = [] }
            return state.held
        }
        for continuation in held { continuation.resume() }
    }

    // MARK: SealingBackend

    func recipients(
        generateMissingKey: Bool, until: ContinuousClock.Instant
    ) async throws(SealingError) -> [Recipient] {
        try await enter(.recipients, until)
        defer { leave() }
        let hasKey = state.withLock { state in
            if generateMissingKey { state.hasKey = true }
            return state.hasKey
        }
        guard hasKey else { throw SealingError(.operatorMustAct, "no key", hint: "run init --generate-keys") }
        return [recipient]
    }

    func serves(_ recipient: Recipient) -> Bool {
        recipient.kind == kind && (recipient.id == self.recipient.id || state.withLock { $0.claimsAll })
    }

    func isAuthenticated(_ seal: Seal) -> Bool { isAuthenticating }

    func seal(
        _ kek: KEK, to recipient: Recipient, until: ContinuousClock.Instant
    ) async throws(SealingError) -> Seal {
        try await enter(.seal, until)
        defer { leave() }
        guard recipient == self.recipient else { throw MemoryBackend.doesNotOpen }
        do {
            let nonce = try Random.bytes(24)
            var sealed = [UInt8](repeating: 0, count: KEK.size + 16)
            try kek.withUnsafeBytes { plaintext in
                try nonce.withUnsafeBytes { nonce in
                    try aad(kek.id).withUnsafeBytes { aad in
                        try sealed.withUnsafeMutableBytes {
                            try cipher.seal(plaintext, nonce: nonce, aad: aad, into: $0)
                        }
                    }
                }
            }
            let version = hasKeyVersions ? [state.withLock { $0.version }] : []
            return Seal(recipient: recipient, kekID: kek.id, bytes: version + nonce + sealed)
        } catch {
            throw SealingError(.retry, "\(error)")
        }
    }

    func unseal(_ seal: Seal, until: ContinuousClock.Instant) async throws(SealingError) -> KEK {
        let behaviour = try await enter(.unseal, until)
        defer { leave() }
        let bytes = Array(seal.bytes.dropFirst(hasKeyVersions ? 1 : 0))
        guard seal.recipient.id == recipient.id, bytes.count == 24 + KEK.size + 16,
            !hasKeyVersions || seal.bytes[0] >= state.withLock({ $0.minimumVersion })
        else { throw MemoryBackend.doesNotOpen }
        do {
            if case .lies = behaviour { return try KEK.generate() }
            let nonce = Array(bytes.prefix(24))
            let sealed = Array(bytes.dropFirst(24))
            return try KEK(
                SecretBytes(count: KEK.size) { (memory) throws(CryptoError) in
                    try nonce.span.withUnsafeBytes { (nonce) throws(CryptoError) in
                        try aad(seal.kekID).span.withUnsafeBytes { (aad) throws(CryptoError) in
                            try sealed.span.withUnsafeBytes { (sealed) throws(CryptoError) in
                                try cipher.open(sealed, nonce: nonce, aad: aad, into: memory)
                            }
                        }
                    }
                })
        } catch {
            throw MemoryBackend.doesNotOpen
        }
    }

    func refreshed(_ seal: Seal, until: ContinuousClock.Instant) async throws(SealingError) -> Seal? {
        try await enter(.refresh, until)
        defer { leave() }
        let (version, minimum) = state.withLock { ($0.version, $0.minimumVersion) }
        guard hasKeyVersions, let old = seal.bytes.first, old >= minimum else { throw MemoryBackend.doesNotOpen }
        guard old < version else { return nil }
        return Seal(recipient: seal.recipient, kekID: seal.kekID, bytes: [version] + seal.bytes.dropFirst())
    }

    func probe(until: ContinuousClock.Instant) async throws(SealingError) {
        try await enter(.probe, until)
        leave()
    }

    func diagnose(until: ContinuousClock.Instant) async -> [Finding] {
        do throws(SealingError) {
            try await enter(.diagnose, until)
        } catch {
            return [Finding(.error, name, error.message)]
        }
        leave()
        return [Finding(.ok, name, "in memory")]
    }

    func shutdown(until: ContinuousClock.Instant) async { state.withLock { $0.isShutDown = true } }

    private func aad(_ kekID: KEKID) -> [UInt8] { kekID.bytes + Array(recipient.id.utf8) }

    static let doesNotOpen = SealingError(.permanent, "the seal does not open")

    @discardableResult
    private func enter(
        _ function: Function, _ until: ContinuousClock.Instant
    ) async throws(SealingError) -> Behaviour {
        let (behaviour, reached, isShutDown) = state.withLock { state in
            state.calls[function, default: 0] += 1
            if let clock = state.clock { state.times.append(clock()) }
            state.running += 1
            state.mostRunning = max(state.mostRunning, state.running)
            let count = state.calls[function, default: 0]
            let reached = state.watchers.filter { $0.function == function && $0.count <= count }
            state.watchers.removeAll { $0.function == function && $0.count <= count }
            return (state.behaviour[function] ?? .works, reached.map(\.continuation), state.isShutDown)
        }
        for watcher in reached { watcher.resume() }
        do throws(SealingError) {
            guard !isShutDown else { throw SealingError(.retry, "\(name): shut down") }
            switch behaviour {
            case .works, .lies:
                guard ContinuousClock.now < until else { throw SealingError(.retry, "\(name): no time left") }
            case .fails(let error): throw error
            case .hangs, .waits:
                await hold(function)
                // What it was told meanwhile.
                let told = state.withLock { $0.behaviour[function] ?? .works }
                if case .fails(let error) = told { throw error }
                return told
            }
        } catch {
            leave()
            throw error
        }
        return behaviour
    }

    private func hold(_ function: Function) async {
        await withCheckedContinuation { continuation in
            let isReleased = state.withLock { state in
                if case .works = state.behaviour[function] ?? .works { return true }
                state.held.append(continuation)
                return false
            }
            if isReleased { continuation.resume() }
        }
    }

    private func leave() { state.withLock { $0.running -= 1 } }
}

extension SealingError {
    /// One of each class.
    static func sample(_ errorClass: Class) -> SealingError {
        SealingError(errorClass, "\(errorClass.rawValue) on purpose", hint: "hint for \(errorClass.rawValue)")
    }
}
