import Glibc
import Keyring
import TestSupport

@testable import KMSServer

/// A server in a temporary folder, with all that a test wants to look at.
final class ServerUnderTest: Sendable {
    let scope: TestScope
    let server: Server
    let service: FakeKeyService
    let control = FakeControl()
    let log = LogRecorder()
    let path: String
    let controlPath: String

    private init(_ scope: TestScope, _ change: (inout ServerConfiguration) -> Void) throws {
        self.scope = scope
        path = scope.path("kms.sock")
        controlPath = scope.path("control.sock")
        service = try FakeKeyService()
        let user = geteuid()
        var configuration = ServerConfiguration(
            socket: SocketConfiguration(path: path, allowUsers: [user]),
            control: SocketConfiguration(path: controlPath, allowUsers: [user]), runtimeVersion: "1.2.3")
        change(&configuration)
        server = Server(configuration, service: service, control: control, log: log.log)
    }

    /// Starts a server for `body`, stops it afterwards, and insists that it stops cleanly.
    static func with<R>(
        _ change: (inout ServerConfiguration) -> Void = { _ in }, _ body: (ServerUnderTest) async throws -> R
    ) async throws -> R {
        try await TestScope.with { scope in
            let test = try ServerUnderTest(scope, change)
            try test.server.start()
            let result: R
            do {
                result = try await body(test)
            } catch {
                _ = test.server.stop(until: .now + .seconds(10))
                throw error
            }
            // A cold call that a test has left waiting would hold the stop up.
            test.service.openCold()
            guard await test.stop(within: .seconds(20)) else { throw TestError("the server did not stop in time") }
            return result
        }
    }

    /// Stops it on a thread of its own: calls under way may need Swift's.
    func stop(within limit: Duration) async -> Bool {
        let server = server
        var thread: ServerThread?
        let isClean = await withCheckedContinuation { continuation in
            do {
                thread = try ServerThread("test-stop") {
                    continuation.resume(returning: server.stop(until: .now + limit))
                }
            } catch {
                continuation.resume(returning: false)
            }
        }
        _ = thread?.join(until: .now + .seconds(10))
        return isClean
    }

    func client(authority: String? = nil) throws -> TestClient { try TestClient(path, authority: authority) }

    func count(_ method: String, _ code: String) -> UInt64 {
        server.statistics().requests.first { $0.method == method && $0.code == code }?.count ?? 0
    }
}
