import Glibc
import TestSupport
import Testing

@Suite("Who may connect", .serialized)
struct PeerTests {
    private static let stranger: (uid: UInt32, gid: UInt32) = (4711, 4712)

    /// The sockets' mode lets the stranger's group in; only the list can refuse him.
    private static func options(_ allow: String) -> Node.Options {
        var options = Node.Options()
        options.group = stranger.gid
        options.allow = allow
        return options
    }

    @Test("another user is refused before a byte of his is read, and let in once he is on the list")
    func stranger() async throws {
        try await Node.serving(PeerTests.options("allowUsers: [0]")) { node, plugin, server in
            #expect(try Files.mode(node.socket) == 0o660)
            #expect(try Files.owner(node.socket) == (0, PeerTests.stranger.gid))
            let other = try await node.apiServer(user: PeerTests.stranger)
            #expect(try await other.ask("status", ["wait": false])["code"].string == "UNAVAILABLE")

            // While the plugin stands still, the preface is in the socket's queue; a close with bytes in the queue is
            // another one than a close of an empty one.
            try await plugin.freeze()
            try await other.ask("preface")
            plugin.process.send(SIGCONT)
            #expect(try await other.ask("refusal")["end"].string == "unread")
            try await plugin.process.waitForOutput("uid=4711 gid=4712", within: .seconds(20))
            try await server.ask("boot")

            try await plugin.stop()
            try Files.write(node.text(PeerTests.options("allowUsers: [0, 4711]")), to: node.configuration)
            let second = try await node.serve()
            try await other.ask("boot")
            // The control socket has a list of its own.
            let nosy = try await APIServer.start(node.scope, socket: node.control, user: PeerTests.stranger)
            #expect(try await nosy.ask("connect")["end"].string != "answered")
            try await second.stop()
        }
    }

    @Test("a primary group can be let in")
    func group() async throws {
        try await Node.serving(PeerTests.options("allowUsers: [0], allowGroups: [4712]")) { node, _, server in
            let member = try await node.apiServer(user: PeerTests.stranger)
            try await member.ask("boot")
            let nosy = try await APIServer.start(node.scope, socket: node.control, user: PeerTests.stranger)
            #expect(try await nosy.ask("connect")["end"].string != "answered")
        }
    }

    @Test("the number of users that a namespace does not map is always refused")
    func unmapped() async throws {
        try await Node.serving(PeerTests.options("allowUsers: [0], allowGroups: [4712]")) { node, plugin, server in
            let nobody = try await node.apiServer(user: (65534, PeerTests.stranger.gid))
            #expect(try await nobody.ask("connect")["end"].string != "answered")
            // The peer may see the end of its connection before the log does.
            try await plugin.process.waitForOutput("uid=65534 gid=4712", within: .seconds(20))
            let member = try await node.apiServer(user: PeerTests.stranger)
            #expect(try await member.ask("connect")["end"].string == "answered")
            try await server.ask("boot")
        }
    }
}
