import Glibc
import Keyring
import Synchronization
import TestSupport
import Testing

@testable import KMSServer

/// The two sockets are two doors to two rooms.
@Suite struct ControlTests {
    @Test func reportsAndStops() async throws {
        try await ServerUnderTest.with { test in
            let client = try TestClient(test.controlPath)
            let report = try await client.call(Request.controlStatus)
            #expect(report.code == .ok)
            #expect(Wire.only(1, in: report.bytes) == Array(#"{"state":"serving"}"#.utf8))
            #expect(test.control.stopRequests == 0)
            try await #expect(client.call(Request.controlStop) == TestClient.Answer(code: .ok, text: "", bytes: []))
            #expect(test.control.stopRequests == 1)
            #expect(test.server.statistics().controlConnections == 1)
            #expect(test.server.statistics().connections == 0)
        }
    }

    @Test func resealsAsItIsAsked() async throws {
        try await ServerUnderTest.with { test in
            let options = ResealOptions(
                backend: "rack-hsm", generateKeys: true, dropReplaced: true,
                expecting: ["sha256:7+11=5f", "sha256:7=aa+11"])
            let path = test.controlPath
            let report = try await Task.detached {
                try ControlClient.reseal(socket: path, options, timeout: .seconds(60))
            }.value
            #expect(report == Array(#"{"changed":false}"#.utf8))
            #expect(test.control.resealOptions.withLock { $0 } == options)
            let client = try TestClient(path)
            let plain = try await client.call(Request.controlReseal)
            #expect(plain.code == .ok)
            #expect(test.control.resealOptions.withLock { $0 } == ResealOptions())
            let refused = await #expect(throws: ClientError.self) {
                try await Task.detached {
                    try ControlClient.reseal(socket: path, ResealOptions(backend: "gone"), timeout: .seconds(60))
                }.value
            }
            #expect(refused?.message.contains("no such backend; name another") == true)
            #expect(try await client.call(Request.controlReseal, [0x0a, 0x7f]).code == .invalidArgument)
            // States: an empty one, one that is not UTF-8, nine of them, and one that is too long.
            let field: [UInt8] = [0x22]
            let nine = [[UInt8]](repeating: field + [1, 55], count: 9).flatMap { $0 }
            let long = field + [0x81, 0x10] + [UInt8](repeating: 55, count: 2049)
            for bytes in [field + [0], field + [1, 0xff], nine, long] {
                #expect(try await client.call(Request.controlReseal, bytes).code == .invalidArgument)
            }
            #expect(try await client.call(Request.controlReseal, Array(nine.dropLast(3))).code == .ok)
        }
    }

    @Test func aKMSPeerCannotReachControl() async throws {
        try await ServerUnderTest.with { test in
            let client = try test.client()
            for method in [Request.controlStatus, Request.controlReseal, Request.controlStop] {
                try await #expect(client.call(method).code == .unimplemented)
            }
            #expect(test.control.stopRequests == 0)
        }
    }

    @Test func aControlPeerCannotReachTheKeys() async throws {
        try await ServerUnderTest.with { test in
            let client = try TestClient(test.controlPath)
            for method in [Request.status, Request.encrypt, Request.decrypt, Request.encrypt1, Request.decrypt1] {
                try await #expect(client.call(method, Request.encrypt([1])).code == .unimplemented)
            }
        }
    }

    @Test func eachHasItsOwnAllowList() async throws {
        try await ServerUnderTest.with {
            $0.control.allowUsers = [geteuid() + 1]
        } _: { test in
            try await #expect(test.client().call(Request.status).code == .ok)
            let connection = try UnixConnection(to: test.controlPath)
            #expect(connection.readsEnd(within: .seconds(20)))
        }
    }

    @Test func manyKMSConnectionsLeaveRoomForControl() async throws {
        try await ServerUnderTest.with {
            $0.maximumConnections = 1
        } _: { test in
            let client = try test.client()
            try await #expect(client.call(Request.status).code == .ok)
            try await #expect(TestClient(test.controlPath).call(Request.controlStatus).code == .ok)
            withExtendedLifetime(client) {}
        }
    }
}
