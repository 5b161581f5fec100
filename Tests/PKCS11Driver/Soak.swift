internal import CLinux
internal import Crypto
internal import Glibc
internal import Keyring
internal import PKCS11Backend
internal import Synchronization

/// Seals and unseals from several tasks while a shim's script changes at random moments, and counts what went wrong.
final class Soak: Sendable {
    struct Tally {
        var succeeded = 0
        /// Opened to something else, or opened although altered.
        var wrong = 0
        /// Answered later than the deadline and a second and a half, on two shared cores.
        var late = 0
        /// Failures of sound requests by class.
        var classes: [String: Int] = [:]
        var faults = 0
        var unrecovered = 0
        /// The fault now.
        var fault = ""
        /// The first few answers that gave a sound seal up, each with the fault.
        var givenUp: [String] = []
    }

    private static let workers = 6
    private static let deadline = Duration.seconds(1)
    private static let recovery = Duration.seconds(20)

    private let backend: PKCS11Backend
    private let seconds: Int
    private let seed: UInt64
    private let tally = Mutex(Tally())
    private let isOver = Mutex(false)

    /// Arguments: seconds, seed.
    init(_ backend: PKCS11Backend, _ arguments: [String]) {
        self.backend = backend
        seconds = arguments.first.flatMap { Int($0) } ?? 20
        seed = arguments.dropFirst().first.flatMap { UInt64($0) } ?? 1
    }

    func run() async throws -> [String] {
        let until = ContinuousClock.now + .seconds(20)
        let recipient = try await backend.recipients(generateMissingKey: false, until: until)[0]
        let kek = try KEK.generate()
        let seal = try await backend.seal(kek, to: recipient, until: until)
        await withTaskGroup(of: Void.self) { group in
            for index in 0..<Soak.workers {
                group.addTask { await self.load(index, seal, recipient) }
            }
            await disturb()
            isOver.withLock { $0 = true }
        }
        let tally = tally.withLock { $0 }
        let classes = tally.classes.sorted { $0.key < $1.key }.map { "class-\($0.key)=\($0.value)" }
        return [
            "succeeded=\(tally.succeeded)", "wrong=\(tally.wrong)", "late=\(tally.late)", "faults=\(tally.faults)",
            "unrecovered=\(tally.unrecovered)",
        ] + classes + tally.givenUp
    }

    // MARK: load

    private func load(_ index: Int, _ seal: Seal, _ recipient: Recipient) async {
        var random = Seeded(seed &+ UInt64(index) &* 7919)
        while !isOver.withLock({ $0 }) {
            let began = ContinuousClock.now
            do throws(SealingError) {
                try await request(Int.random(in: 0..<10, using: &random), seal, recipient, began + Soak.deadline)
                tally.withLock { $0.succeeded += 1 }
            } catch {
                tally.withLock { tally in
                    tally.classes[error.errorClass.rawValue, default: 0] += 1
                    if error.errorClass == .permanent && tally.givenUp.count < 5 {
                        tally.givenUp.append("given up: \(error) (\(tally.fault))")
                    }
                }
                // What is down fails at once: leave the cores to those who bring it back.
                try? await Task.sleep(for: .milliseconds(2))
            }
            if ContinuousClock.now - began > Soak.deadline + .milliseconds(1500) { tally.withLock { $0.late += 1 } }
        }
    }

    private func request(
        _ kind: Int, _ seal: Seal, _ recipient: Recipient, _ until: ContinuousClock.Instant
    ) async throws(SealingError) {
        switch kind {
        case 0:
            guard let kek = try? KEK.generate() else { return }
            let made = try await backend.seal(kek, to: recipient, until: until)
            let opened = try await backend.unseal(made, until: until)
            if opened.id != kek.id { tally.withLock { $0.wrong += 1 } }
        case 1:
            var bytes = seal.bytes
            bytes[bytes.count - 1] ^= 1
            do throws(SealingError) {
                _ = try await backend.unseal(
                    Seal(recipient: recipient, kekID: seal.kekID, bytes: bytes), until: until)
                tally.withLock { $0.wrong += 1 }
            } catch {
                guard error.errorClass == .permanent else { throw error }
            }
        case 2: try await backend.probe(until: until)
        default:
            if try await backend.unseal(seal, until: until).id != seal.kekID { tally.withLock { $0.wrong += 1 } }
        }
    }

    // MARK: faults

    private func disturb() async {
        var random = Seeded(seed)
        let end = ContinuousClock.now + .seconds(seconds)
        guard let script = getenv("PKCS11SHIM_SCRIPT").map({ String(cString: $0) }) else { return }
        while ContinuousClock.now < end {
            let fault = Fault.random(using: &random)
            let text = fault.lines.joined(separator: "; ")
            Main.say("log soak fault \(text)")
            tally.withLock { $0.fault = text }
            Soak.write(fault.lines, to: script)
            try? await Task.sleep(for: .milliseconds(Int.random(in: 20...400, using: &random)))
            Soak.write([], to: script)
            let before = tally.withLock { tally in
                tally.faults += 1
                return tally.succeeded
            }
            await recover(from: fault, before)
        }
    }

    /// Waits until every worker could have succeeded since the fault ended.
    private func recover(from fault: Fault, _ before: Int) async {
        let deadline = ContinuousClock.now + Soak.recovery
        while tally.withLock({ $0.succeeded }) < before + 2 * Soak.workers {
            guard ContinuousClock.now < deadline else {
                tally.withLock { $0.unrecovered += 1 }
                Main.say("log soak not recovered from \(fault.lines.joined(separator: "; "))")
                return
            }
            try? await Task.sleep(for: .milliseconds(10))
        }
    }

    private static func write(_ lines: [String], to path: String) {
        let text = Array(lines.map { $0 + "\n" }.joined().utf8)
        let file = open(path + ".soak", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard file >= 0 else { return }
        _ = Glibc.write(file, text, text.count)
        close(file)
        rename(path + ".soak", path)
    }
}

/// SplitMix64: the same faults for the same seed.
struct Seeded: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
