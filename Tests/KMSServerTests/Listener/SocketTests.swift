import Glibc
import Keyring
import TestSupport
import Testing

@testable import KMSServer

/// How the sockets come to be, and what must not stand in their way.
@Suite struct SocketTests {
    @Test(arguments: [UInt32(0o600), 0o660, 0o666]) func haveTheirMode(mode: UInt32) async throws {
        // The umask of the process would take bits away from 0666.
        try await ServerUnderTest.with {
            $0.socket.mode = mode
        } _: { test in
            try #expect(Files.mode(test.path) == mode)
            try #expect(Files.mode(test.controlPath) == 0o600)
            try #expect(Files.owner(test.path) == (geteuid(), getegid()))
        }
    }

    @Test func haveTheirOwner() async throws {
        // Only root may give files away; others can name themselves.
        let (user, group): (UInt32, UInt32) = geteuid() == 0 ? (1234, 5678) : (geteuid(), getegid())
        try await ServerUnderTest.with {
            $0.socket.owner = user
            $0.socket.group = group
        } _: { test in
            try #expect(Files.owner(test.path) == (user, group))
        }
    }

    @Test func theModeIsThereWhenTheSocketIs() async throws {
        try await TestScope.with { scope in
            let socket = try ListeningSocket.create(
                SocketConfiguration(path: scope.path("s"), mode: 0o640), folderMode: 0o700)
            try #expect(Files.mode(scope.path("s")) == 0o640)
            socket.removeFile()
        }
    }

    @Test func missingFoldersAreMade() async throws {
        try await ServerUnderTest.with {
            $0.socket.path = folder($0.socket.path) + "/run/kms.sock"
            $0.control.path = folder($0.control.path) + "/run-control/control.sock"
        } _: { test in
            let folder = folder(test.path)
            try #expect(Files.mode(folder + "/run") == 0o755)
            try #expect(Files.mode(folder + "/run-control") == 0o700)
            try await #expect(TestClient(folder + "/run/kms.sock").call(Request.status).code == .ok)
        }
    }

    @Test func onlyTheLastFolderIsMade() async throws {
        try await expectRefusal(.system) { $0.path = folder($0.path) + "/a/b/kms.sock" }
    }

    @Test(arguments: [UInt32(0o775), 0o757, 0o777]) func foldersThatOthersMayWriteToAreRefused(mode: UInt32)
        async throws
    {
        try await expectRefusal(.insecure) { configuration in
            let folder = folder(configuration.path) + "/open"
            try Files.makeDirectory(folder, mode: mode)
            configuration.path = folder + "/kms.sock"
        }
    }

    @Test func aStickyFolderWillDo() async throws {
        try await TestScope.with { scope in
            try Files.makeDirectory(scope.path("tmp"), mode: 0o1777)
            let socket = try ListeningSocket.create(
                SocketConfiguration(path: scope.path("tmp/s")), folderMode: 0o700)
            socket.removeFile()
            #expect(!Files.exists(scope.path("tmp/s")))
        }
    }

    @Test(arguments: ["kms.sock", "", "/a/", "@", "/" + String(repeating: "x", count: 107)])
    func impossiblePathsAreRefused(path: String) async throws {
        try await expectRefusal(.invalidPath) { $0.path = path }
    }

    @Test func aStaleSocketIsReplaced() async throws {
        try await TestScope.with { scope in
            close(try UnixConnection.listen(at: scope.path("s")))
            #expect(Files.exists(scope.path("s")))
            let socket = try ListeningSocket.create(SocketConfiguration(path: scope.path("s")), folderMode: 0o700)
            _ = try UnixConnection(to: scope.path("s"))
            socket.removeFile()
        }
    }

    @Test func aLiveSocketIsNot() async throws {
        try await TestScope.with { scope in
            let other = try UnixConnection.listen(at: scope.path("s"))
            defer { close(other) }
            let error = refusal(SocketConfiguration(path: scope.path("s")))
            #expect(error?.code == .inUse)
            #expect(error?.hint.contains("ss -xlp") == true)
            _ = try UnixConnection(to: scope.path("s"))
        }
    }

    @Test(arguments: ["file", "folder", "link"]) func anythingElseStays(kind: String) async throws {
        try await TestScope.with { scope in
            let path = scope.path("s")
            switch kind {
            case "file": try Files.write("precious", to: path)
            case "folder": try Files.makeDirectory(path)
            default: #expect(symlink(scope.path("target"), path) == 0)
            }
            let error = refusal(SocketConfiguration(path: path))
            #expect(error?.code == .occupied)
            #expect(Files.exists(path))
        }
    }

    @Test func aSecondServerIsRefused() async throws {
        try await ServerUnderTest.with { test in
            let error = refusal(SocketConfiguration(path: test.path))
            #expect(error?.code == .inUse)
            let answer = try await test.client().call(Request.status)
            #expect(answer.code == .ok)
        }
    }

    @Test func ofManyThatStartAtOnceOneWins() async throws {
        try await TestScope.with { scope in
            for round in 0..<20 {
                let path = scope.path("s\(round)")
                close(try UnixConnection.listen(at: path))
                let winners = await withTaskGroup(of: ListeningSocket?.self) { group in
                    for _ in 0..<8 {
                        group.addTask {
                            try? ListeningSocket.create(SocketConfiguration(path: path), folderMode: 0o700)
                        }
                    }
                    return await group.reduce(into: [ListeningSocket]()) { winners, socket in
                        if let socket { winners.append(socket) }
                    }
                }
                #expect(winners.count == 1)
                // The winner's socket is the one at the path.
                _ = try UnixConnection(to: path)
                winners.forEach { $0.removeFile() }
            }
        }
    }

    @Test func onlyOurOwnFileIsRemoved() async throws {
        try await ServerUnderTest.with { test in
            // Somebody has put another file there: it is not ours to remove.
            try Files.remove(test.path)
            try Files.write("another", to: test.path)
            #expect(await test.stop(within: .seconds(20)))
            try #expect(Files.readText(test.path) == "another")
            #expect(!Files.exists(test.controlPath))
        }
    }

    @Test func anAbstractSocketWorks() async throws {
        let name = "@trousseau-test-\(getpid())"
        try await ServerUnderTest.with {
            $0.socket.path = name
        } _: { _ in
            let answer = try await TestClient(name).call(Request.status)
            #expect(answer.code == .ok)
            let error = refusal(SocketConfiguration(path: name))
            #expect(error?.code == .inUse)
        }
    }

    @Test func aFailedStartLeavesNothing() async throws {
        try await TestScope.with { scope in
            try Files.write("in the way", to: scope.path("control"))
            let configuration = ServerConfiguration(
                socket: SocketConfiguration(path: scope.path("kms")),
                control: SocketConfiguration(path: scope.path("control")), runtimeVersion: "1")
            let server = Server(configuration, service: try FakeKeyService(), control: FakeControl(), log: .none)
            let error = #expect(throws: ServerError.self) { try server.start() }
            #expect(error?.code == .occupied)
            #expect(!Files.exists(scope.path("kms")))
            // What was in the way is gone: the same server may try again.
            try Files.remove(scope.path("control"))
            try server.start()
            let again = #expect(throws: ServerError.self) { try server.start() }
            #expect(again?.code == .state)
            #expect(server.stop(until: .now + .seconds(20)))
            try #expect(Files.list(scope.directory) == [".control.lock", ".kms.lock"])
        }
    }

    private func refusal(_ configuration: SocketConfiguration) -> ServerError? {
        do {
            _ = try ListeningSocket.create(configuration, folderMode: 0o755)
            return nil
        } catch {
            return error
        }
    }

    private func folder(_ path: String) -> String { String(path[..<(path.lastIndex(of: "/") ?? path.endIndex)]) }

    private func expectRefusal(
        _ code: ServerError.Code, _ change: (inout SocketConfiguration) throws -> Void
    ) async throws {
        try await TestScope.with { scope in
            var configuration = SocketConfiguration(path: scope.path("kms.sock"))
            try change(&configuration)
            let error = refusal(configuration)
            #expect(error?.code == code, "\(String(describing: error))")
            #expect(error?.hint.isEmpty == false)
        }
    }
}
