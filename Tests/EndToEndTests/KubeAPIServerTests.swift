import Glibc
import TestSupport
import Testing

@Suite("As kube-apiserver calls it", .serialized)
struct KubeAPIServerTests {
    @Test("a start, writes, a storm of reads, v1beta1 and v2 on one connection, the same call 16 times at once")
    func contract() async throws {
        try await Node.serving { node, plugin, server in
            let written = try await server.ask("write", ["count": 500])
            #expect(written["distinct"].number == 500)
            #expect(try await server.ask("read")["codes"].counts == ["OK": 501])
            #expect(try await server.ask("same", ["count": 16])["read"].number == 16)

            let version = try await server.ask("version")
            #expect(version["runtimeName"].string == "trousseau")
            try await server.ask("write", ["count": 100, "api": "v1beta1"])
            let mixed = try await server.ask("mixed", ["count": 200])
            #expect(mixed["turns"].number == 200)
            #expect(mixed["crossed"].counts.keys.allSatisfy(refusals.contains), "\(mixed)")

            // The next start reads everything that the first one wrote, under the same key_id.
            let again = try await server.ask("boot")
            #expect(again["keyID"].string == written["keyID"].string)
            #expect(again["read"].number == 602)
        }
    }

    @Test(
        "accepts any :authority",
        arguments: [
            "%2Frun%2Ftrousseau%2Fkms.sock", "localhost:1", "%2Ftmp%2Ftt.x%2Frun%2Fkms.sock:80", "[::1]:0",
            "no.such.host.example", "xn--80ak6aa92e",
        ])
    func authority(_ text: String) async throws {
        try await Node.serving { node, _, _ in
            let server = try await node.apiServer(authority: text)
            try await server.ask("boot")
            try await server.ask("version")
        }
    }

    @Test("two API servers on one node agree, each with its own seed")
    func twoServers() async throws {
        try await Node.serving { node, _, first in
            let second = try await node.apiServer()
            let boot = try await second.ask("boot")
            #expect(boot["keyID"] == (try await first.ask("status")["keyID"]))
        }
    }

    @Test("a client's deadline ends its call; the calls after it are answered")
    func deadline() async throws {
        try await Node.serving { _, plugin, server in
            try await plugin.freeze()
            let late = try await server.ask("status", ["timeout": 0.3])
            plugin.process.send(SIGCONT)
            #expect(late["code"].string == "DEADLINE_EXCEEDED")
            try await server.ask("boot")
        }
    }
}

/// What an altered request may be answered with.
let refusals: Set<String> = ["INVALID_ARGUMENT", "FAILED_PRECONDITION", "NOT_FOUND"]
