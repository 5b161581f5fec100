import Crypto
import Keyring
import KMSServer
import Synchronization
import TestSupport

/// A keyring whose ciphertext is the plaintext turned over, and which does what a test tells it.
final class FakeKeyService: KeyService {
    static let keyID = "test/1/aaaaaaaaaaaaaaaa/bbbbbbbb"
    /// Ciphertexts that begin so are cold.
    static let coldMark = Array("cold".utf8)

    struct Behaviour: Sendable {
        var publication = CurrentPublication(keyID: FakeKeyService.keyID, annotation: Array(repeating: 7, count: 300))
        /// What all calls fail with.
        var failure: ServiceError?
        /// Whether cold Decrypts heed their cancellation.
        var heedsCancellation = true
    }

    private struct Cold {
        var waiting: [Int: CheckedContinuation<Void, Never>] = [:]
        var deadlines: [Duration] = []
        var cancelled: Set<Int> = []
        var last = 0
        var isOpen = false
    }

    let behaviour = Mutex(Behaviour())
    private let cold = Mutex(Cold())

    init() throws { try SecureHeap.initialize(allowUnlocked: true) }

    func status() throws(ServiceError) -> CurrentPublication {
        let behaviour = behaviour.withLock { $0 }
        if let failure = behaviour.failure { throw failure }
        return behaviour.publication
    }

    func encrypt(_ plaintext: UnsafeRawBufferPointer, api: KMSAPI) throws(ServiceError) -> Encrypted {
        let publication = try status()
        guard 1...967 ~= plaintext.count else {
            throw ServiceError(.invalidArgument, "a plaintext has 1 to 967 bytes, not \(plaintext.count)")
        }
        return Encrypted(ciphertext: api.rawValue.utf8 + plaintext.map { ~$0 }, publication: publication)
    }

    func decrypt(
        _ ciphertext: UnsafeRawBufferPointer, keyID: UnsafeRawBufferPointer?, api: KMSAPI
    ) throws(ServiceError) -> Decrypted {
        let publication = try status()
        if let keyID, !keyID.elementsEqual(publication.keyID.utf8) {
            throw ServiceError(.invalidArgument, "the key_id names another KEK")
        }
        guard (keyID == nil) == (api == .v1beta1) else { throw ServiceError(.internalError, "key_id and API differ") }
        if ciphertext.starts(with: FakeKeyService.coldMark) {
            guard let id = KEKID(Array(repeating: 1, count: KEKID.size)) else {
                throw ServiceError(.internalError, "kekID")
            }
            return .cold(ColdDecryption(ciphertext: Array(ciphertext), api: api, kekID: id))
        }
        guard ciphertext.starts(with: api.rawValue.utf8) else {
            throw ServiceError(.invalidArgument, "the ciphertext is malformed")
        }
        return .plaintext(try plaintext(ciphertext.dropFirst(api.rawValue.utf8.count).map { ~$0 }))
    }

    /// Waits for `openCold`, but not longer than the deadline or (if it heeds it) than its task.
    func decrypt(_ request: ColdDecryption, until: ContinuousClock.Instant) async throws(ServiceError) -> Plaintext {
        let id = cold.withLock { cold in
            cold.last += 1
            cold.deadlines.append(until - .now)
            return cold.last
        }
        let timer = Task {
            try await Task.sleep(until: until, clock: .continuous)
            self.wake(id)
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isDone = cold.withLock { cold in
                    if cold.isOpen || cold.cancelled.contains(id) { return true }
                    cold.waiting[id] = continuation
                    return false
                }
                if isDone { continuation.resume() }
            }
        } onCancel: {
            let heeds = behaviour.withLock { $0.heedsCancellation }
            cold.withLock { _ = $0.cancelled.insert(id) }
            if heeds { wake(id) }
        }
        timer.cancel()
        guard cold.withLock({ $0.isOpen }) else {
            throw ServiceError(.deadlineExceeded, "the KEK did not open in time")
        }
        return try plaintext(request.ciphertext.dropFirst(FakeKeyService.coldMark.count).map { ~$0 })
    }

    private func wake(_ id: Int) { cold.withLock { $0.waiting.removeValue(forKey: id) }?.resume() }

    private func plaintext(_ bytes: [UInt8]) throws(ServiceError) -> Plaintext {
        do {
            return Plaintext(try SecretBytes(count: bytes.count) { memory in memory.copyBytes(from: bytes) })
        } catch {
            throw ServiceError(.internalError, "\(error)")
        }
    }

    // MARK: What tests ask and tell

    /// Opens the cold KEK: all who wait for it are answered.
    func openCold() {
        let waiting = cold.withLock { cold in
            cold.isOpen = true
            defer { cold.waiting = [:] }
            return cold.waiting.values
        }
        for continuation in waiting { continuation.resume() }
    }

    var coldWaiting: Int { cold.withLock { $0.waiting.count } }
    var coldCancelled: Int { cold.withLock { $0.cancelled.count } }
    /// How long each cold Decrypt was given.
    var coldDeadlines: [Duration] { cold.withLock { $0.deadlines } }
}

/// Counts what the command line asks for.
final class FakeControl: ControlService {
    private let stops = Mutex(0)
    let resealOptions = Mutex<ResealOptions?>(nil)

    var stopRequests: Int { stops.withLock { $0 } }

    func report(until: ContinuousClock.Instant) async -> [UInt8] { Array(#"{"state":"serving"}"#.utf8) }

    func reseal(_ options: ResealOptions, until: ContinuousClock.Instant) async throws(KeyringError) -> [UInt8] {
        guard options.backend != "gone" else { throw KeyringError(.reseal, "no such backend", hint: "name another") }
        resealOptions.withLock { $0 = options }
        return Array(#"{"changed":false}"#.utf8)
    }

    func requestStop() { stops.withLock { $0 += 1 } }
}
