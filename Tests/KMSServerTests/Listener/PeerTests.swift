import CLinux
import Glibc
import TestSupport
import Testing

@testable import KMSServer

/// Who gets in.
@Suite struct PeerTests {
    private static let another = geteuid() == 4242 ? UInt32(4243) : 4242

    @Test func usersAndGroupsAreLetIn() {
        var configuration = SocketConfiguration(path: "/x", allowUsers: [0, 7], allowGroups: [9])
        #expect(PeerPolicy(configuration).refusal(user: 7, group: 1) == nil)
        #expect(PeerPolicy(configuration).refusal(user: 1, group: 9) == nil)
        #expect(PeerPolicy(configuration).refusal(user: 1, group: 1) == .notAllowed)
        configuration.allowUsers = []
        #expect(PeerPolicy(configuration).refusal(user: 0, group: 0) == .notAllowed)
    }

    @Test func nobodyIsNeverLetIn() {
        let configuration = SocketConfiguration(path: "/x", allowUsers: [65534], allowGroups: [65534, 9])
        #expect(PeerPolicy(configuration).refusal(user: 65534, group: 9) == .unmapped)
        #expect(PeerPolicy(configuration).refusal(user: 1, group: 65534) == .notAllowed)
    }

    @Test func refusedPeersAreClosedCountedAndLogged() async throws {
        try await ServerUnderTest.with {
            $0.socket.allowUsers = [PeerTests.another]
        } _: { test in
            for _ in 0..<3 {
                let connection = try UnixConnection(to: test.path)
                connection.send(Connection.preface)
                #expect(connection.readsEnd(within: .seconds(20)))
            }
            try await eventually("all are counted", within: .seconds(20)) {
                test.server.statistics().refused == [.notAllowed: 3]
            }
            #expect(test.server.statistics().acceptedConnections == 0)
            #expect(test.log.text.contains("uid=\(geteuid())"))
            #expect(test.log.text.contains("allowUsers"))
        }
    }

    @Test func aGroupIsEnough() async throws {
        try await ServerUnderTest.with {
            $0.socket.allowUsers = []
            $0.socket.allowGroups = [getegid()]
        } _: { test in
            let answer = try await test.client().call(Request.status)
            #expect(answer.code == .ok)
        }
    }

    /// Connects as another user, in a process of its own, by what each Debian has. Only root can become somebody else;
    /// for other users `refusedPeersAreClosedCountedAndLogged` shows the same from the other side.
    @Test(arguments: [UInt32(4242), 4243, 65534]) func theKernelSaysWhoItIs(user: UInt32) async throws {
        try #require(geteuid() == 0, "only root can play other users")
        try await ServerUnderTest.with {
            $0.socket.allowUsers = [0, 4242, 65534]
            $0.socket.mode = 0o666
        } _: { test in
            try Files.changeMode(test.scope.directory, to: 0o711)
            let script = """
                use Socket; $SIG{PIPE} = 'IGNORE'; socket(S, AF_UNIX, SOCK_STREAM, 0) or die; connect(S, sockaddr_un($ARGV[0])) or die "$!";
                syswrite(S, "PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n\\0\\0\\0\\4\\0\\0\\0\\0\\0");
                print sysread(S, $_, 9) ? "served" : "closed";
                """
            let result = try await ChildProcess.run(
                "setpriv",
                ["--reuid", "\(user)", "--regid", "4242", "--clear-groups", "perl", "-e", script, test.path],
                directory: "/")
            #expect(result.succeeded, "\(result.text)")
            #expect(result.output == (user == 4242 ? "served" : "closed"))
            try await eventually("it is counted", within: .seconds(20)) {
                test.server.statistics().refused
                    == (user == 4242 ? [:] : user == 4243 ? [.notAllowed: 1] : [.unmapped: 1])
            }
            if user == 65534 { #expect(test.log.text.contains("user namespace")) }
        }
    }
}
