import Keyring
import Synchronization
import TestSupport

@testable import TPMBackend

/// An enrolled node behind a proxy, and a KEK with both kinds of seals.
struct FaultScene {
    let scope: TestScope
    let node: Node
    let proxy: TPMProxy
    let backend: TPMBackend
    let kek: KEK
    let local: Seal
    let shared: Seal
    let log: LogLines

    nonisolated(nonsending) static func with<R>(_ body: (FaultScene) async throws -> R) async throws -> R {
        try await TestScope.with { scope in
            let node = try await Node.make(scope)
            let proxy = try TPMProxy(scope, before: node.tpm)
            defer { proxy.stop() }
            let log = LogLines()
            let (backend, shared, local) = try await node.with(tcti: proxy.tcti).enrolled(log: log.log)
            let kek = try KEK.generate()
            let scene = FaultScene(
                scope: scope, node: node, proxy: proxy, backend: backend, kek: kek,
                local: try await backend.seal(kek, to: local, until: patience),
                shared: try await backend.seal(kek, to: shared, until: patience), log: log)
            _ = proxy.takeCommands()
            let result: R
            do {
                result = try await body(scene)
            } catch {
                proxy.release()
                await backend.shutdown(until: patience)
                throw error
            }
            proxy.release()
            await backend.shutdown(until: patience)
            return result
        }
    }

    /// Whether the KEK comes out of the seal.
    func opens(_ seal: Seal) async throws -> Bool {
        try await backend.unseal(seal, until: patience).id == kek.id
    }

    /// How a call fails.
    func failure(of body: () async throws -> Void) async throws -> (TPMError.Code, SealingError) {
        do {
            try await body()
        } catch let error as SealingError {
            guard let cause = error.cause as? TPMError else { throw error }
            return (cause.code, error)
        }
        throw TestError("it did not fail")
    }
}

/// A log that keeps its lines.
final class LogLines: Sendable {
    private let lines = Mutex<[String]>([])

    var log: Log {
        Log { [self] level, message, fields in
            lines.withLock {
                $0.append("\(level): \(message) \(fields.map { "\($0.0)=\($0.1)" }.joined(separator: " "))")
            }
        }
    }

    /// Whether some line has this text in it.
    func has(_ text: String) -> Bool { lines.withLock { $0.contains { $0.contains(text) } } }
}
