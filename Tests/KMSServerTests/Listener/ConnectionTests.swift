import Glibc
import TestSupport
import Testing

@testable import KMSServer

/// How connections begin, how many there are, and how the server learns of their end.
@Suite struct ConnectionTests {
    @Test func theSilentAreDropped() async throws {
        try await ServerUnderTest.with {
            $0.handshakeTimeout = .milliseconds(200)
        } _: { test in
            let silent = try UnixConnection(to: test.path)
            let slow = try UnixConnection(to: test.path)
            slow.send(Array(Connection.preface.prefix(10)))
            #expect(silent.readsEnd(within: .seconds(20)))
            #expect(slow.readsEnd(within: .seconds(20)))
            try await eventually("they are counted", within: .seconds(20)) {
                let statistics = test.server.statistics()
                return statistics.refused == [.silent: 2] && statistics.connections == 0
            }
            try await #expect(test.client().call(Request.status).code == .ok)
        }
    }

    @Test(arguments: ["GET / HTTP/1.1\r\n\r\n", "PRI * HTTP/1.1", "\u{16}\u{3}\u{1}", "x"])
    func otherProtocolsAreDroppedAtOnce(text: String) async throws {
        try await ServerUnderTest.with { test in
            let connection = try UnixConnection(to: test.path)
            connection.send(Array(text.utf8))
            #expect(connection.readsEnd(within: .seconds(8)))
            try await eventually("it is counted", within: .seconds(20)) {
                test.server.statistics().refused == [.notHTTP2: 1]
            }
        }
    }

    @Test func aPrefaceInPiecesWillDo() async throws {
        try await ServerUnderTest.with { test in
            let connection = try UnixConnection(to: test.path)
            for byte in Connection.preface { connection.send([byte]) }
            try await eventually("it is let in", within: .seconds(20)) {
                test.server.statistics().acceptedConnections == 1
            }
            #expect(test.server.statistics().refused.isEmpty)
        }
    }

    @Test func garbageAfterThePrefaceEndsTheConnection() async throws {
        try await ServerUnderTest.with { test in
            let connection = try UnixConnection(to: test.path)
            connection.send(Connection.preface + Array(repeating: 0xff, count: 1000))
            #expect(connection.readsEnd(within: .seconds(20)))
            try await eventually("it is gone", within: .seconds(20)) { test.server.statistics().connections == 0 }
            try await #expect(test.client().call(Request.status).code == .ok)
        }
    }

    @Test func theIdleAreClosed() async throws {
        try await ServerUnderTest.with {
            $0.idleTimeout = .milliseconds(300)
        } _: { test in
            // The one has made a call, the other never does.
            let client = try test.client()
            try await #expect(client.call(Request.status).code == .ok)
            let idle = try UnixConnection(to: test.path)
            idle.send(Connection.preface + [0, 0, 0, 4, 0, 0, 0, 0, 0])
            #expect(idle.readsEnd(within: .seconds(20)))
            try await eventually("both are gone", within: .seconds(20)) { test.server.statistics().connections == 0 }
            // A client that comes back finds the door open.
            try await #expect(client.call(Request.status).code == .ok)
        }
    }

    @Test func connectionsAreCountedUntilTheyEnd() async throws {
        try await ServerUnderTest.with { test in
            for round in 0..<3 {
                let clients = try (0..<5).map { _ in try test.client() }
                for client in clients { try await #expect(client.call(Request.status).code == .ok) }
                #expect(test.server.statistics().acceptedConnections == UInt64(5 * (round + 1)))
                // Those of the round before end when the server has seen them close.
                try await eventually("these five are left", within: .seconds(20)) {
                    test.server.statistics().connections == 5
                }
                withExtendedLifetime(clients) {}
            }
            try await eventually("all are gone", within: .seconds(20)) { test.server.statistics().connections == 0 }
        }
    }

    @Test func thoseBeyondTheLimitWait() async throws {
        try await ServerUnderTest.with {
            $0.maximumConnections = 2
        } _: { test in
            var first: [TestClient]? = try [test.client(), test.client()]
            for client in first ?? [] { try await #expect(client.call(Request.status).code == .ok) }
            let third = try test.client()
            let call = try third.start(Request.status, [])
            try await eventually("the limit is logged", within: .seconds(20)) {
                test.log.text.contains("connection limit reached")
            }
            #expect(!call.isOver && test.server.statistics().connections == 2)
            first = nil
            #expect(await call.answer.code == .ok)
        }
    }

    /// In a process of its own, since the limit of open files is the process's.
    @Test func withoutDescriptorsPeersWait() async {
        await #expect(processExitsWith: .success) {
            try await ServerUnderTest.with { test in
                let file = try SocketAddress.newSocket(for: test.path)
                let address = try SocketAddress(test.path)
                var limit = rlimit()
                getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
                // No new descriptor, whatever number is free.
                var none = rlimit(rlim_cur: 3, rlim_max: limit.rlim_max)
                setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &none)
                let code = address.withRaw { connect(file.raw, $0, $1) }
                // Not `eventually`: Swift's sleep needs a descriptor, too.
                for _ in 0..<4000 where !test.log.text.contains("accepting no connections") { usleep(5000) }
                setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
                guard code == 0, test.log.text.contains("accepting no connections") else { throw TestError("no pause") }
                try await eventually("it is let in after all", within: .seconds(20)) {
                    test.server.statistics().connections == 1
                }
                // The pauses are few.
                guard test.log.lines.count < 20 else { throw TestError(test.log.text) }
            }
        }
    }
}
