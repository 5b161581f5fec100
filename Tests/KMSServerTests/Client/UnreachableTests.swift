import Glibc
import TestSupport
import Testing

@testable import KMSServer

@Suite("A client that reaches nobody")
struct UnreachableTests {
    private func failure(_ socket: String, _ timeout: Duration = .seconds(5)) -> ClientError? {
        #expect(throws: ClientError.self) { try KMSClient(socket: socket, timeout: timeout).status() }
    }

    @Test("says that there is no socket")
    func missing() async throws {
        try await TestScope.with { scope in
            let error = failure(scope.path("none"))
            #expect(error?.code == .notReachable)
            #expect(error?.message == "\(scope.path("none")): cannot connect: No such file or directory")
            #expect(error?.hint?.isEmpty == false)
            #expect(failure("@trousseau-test-nobody" + scope.directory)?.code == .notReachable)
        }
    }

    @Test("says that a socket is a dead one")
    func stale() async throws {
        try await TestScope.with { scope in
            close(try UnixConnection.listen(at: scope.path("s")))
            let error = failure(scope.path("s"))
            #expect(error?.code == .notReachable)
            #expect(error?.message.hasSuffix("cannot connect: Connection refused") == true)
        }
    }

    @Test("does not wait for a connection for ever")
    func fullBacklog() async throws {
        try await TestScope.with { scope in
            let listener = try UnixConnection.listen(at: scope.path("s"))
            defer { close(listener) }
            #expect(listen(listener, 0) == 0)
            var held: [UnixConnection] = []
            // The queue holds one more than it is told to.
            held.append(try UnixConnection(to: scope.path("s")))
            let error = failure(scope.path("s"), .milliseconds(200))
            #expect(error?.code == .notReachable)
            #expect(error?.message.hasSuffix("its queue of connections is full") == true)
        }
    }

    @Test("does not wait for an answer for ever")
    func silent() async throws {
        try await TestScope.with { scope in
            let listener = try UnixConnection.listen(at: scope.path("s"))
            defer { close(listener) }
            #expect(failure(scope.path("s"), .milliseconds(200))?.code == .deadlineExceeded)
        }
    }

    @Test("knows a server that hangs up")
    func closed() async throws {
        try await TestScope.with { scope in
            let listener = try UnixConnection.listen(at: scope.path("s"))
            let client = try KMSClient(socket: scope.path("s"), timeout: .seconds(20))
            // Ends the connections that it has not accepted.
            close(listener)
            let error = #expect(throws: ClientError.self) { try client.status() }
            #expect(error?.code == .refused)
            #expect(error?.message == "Status: UNAVAILABLE: the plugin closed the connection")
        }
    }

    @Test("refuses what is no path of a socket", arguments: ["", "@", String(repeating: "/x", count: 60), "/a\u{0}b"])
    func paths(_ path: String) {
        #expect(failure(path)?.code == .notReachable)
    }

    @Test("of the control socket fails in the same way")
    func control() async throws {
        try await TestScope.with { scope in
            let socket = scope.path("none")
            let report = #expect(throws: ClientError.self) {
                try ControlClient.report(socket: socket, timeout: .seconds(5))
            }
            let stop = #expect(throws: ClientError.self) {
                try ControlClient.stop(socket: socket, timeout: .seconds(5))
            }
            #expect(report?.code == .notReachable && stop?.code == .notReachable)
        }
    }
}
