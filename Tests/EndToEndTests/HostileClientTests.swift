import TestSupport
import Testing

@Suite("Hostile clients", .serialized)
struct HostileClientTests {
    private static let service = "/v2.KeyManagementService/"

    @Test("every truncation and every flipped byte of a real object is refused, and never opens to something else")
    func alteredObjects() async throws {
        try await Node.serving { _, _, server in
            let ciphertext = try await server.ask("mutate", ["part": "ciphertext"])
            #expect(Set(ciphertext["codes"].counts.keys).isSubset(of: refusals), "\(ciphertext)")
            #expect(ciphertext["sent"].number > 300)

            // What follows the KEK's name tells publications apart, and an older one is as good as today's.
            let keyID = try await server.ask("mutate", ["part": "key_id"])
            #expect(Set(keyID["codes"].counts.keys).isSubset(of: refusals.union(["OK"])), "\(keyID)")
            let name = keyID["original"].string.dropLast(8)
            for accepted in keyID["accepted"].array.map(\.string) {
                #expect(accepted.hasPrefix(name), "\(accepted) opens what \(name)… made")
                #expect(Node.keyID(in: accepted) == accepted, "\(accepted) is no key_id")
            }

            // Annotations are only bounded: they decide nothing about the plaintext.
            let annotation = try await server.ask("mutate", ["part": "annotation"])
            #expect(Set(annotation["codes"].counts.keys).isSubset(of: refusals.union(["OK"])), "\(annotation)")

            try await server.ask("boot")
        }
    }

    @Test("NUL and what is no UTF-8 is refused in every string")
    func strings() async throws {
        try await Node.serving { _, _, server in
            let codes = try await server.ask("strings")["codes"].members
            #expect(codes.count == 16)
            for (place, code) in codes {
                #expect(code.string == "INVALID_ARGUMENT", "\(place): \(code.string)")
            }
            try await server.ask("boot")
        }
    }

    @Test("oversize and garbage messages and unknown methods get an error each, and the connection goes on")
    func garbage() async throws {
        try await Node.serving { node, plugin, server in
            let descriptors = try plugin.descriptors
            for size in [131_072 + 100, 200_000, 5_000_000] {
                let answer = try await server.ask("encrypt_size", ["size": .number(Double(size))])
                #expect(answer["code"].string == "RESOURCE_EXHAUSTED", "\(size): \(answer)")
            }
            // More than a ciphertext of 1024 bytes can carry, and less than the limit of a message.
            for size in [1024, 4096, 100_000] {
                let answer = try await server.ask("encrypt_size", ["size": .number(Double(size))])
                #expect(answer["code"].string == "INVALID_ARGUMENT", "\(size): \(answer)")
            }
            for hex in ["ff", "0a", "0aff", "0affffffff0f", "08", "ffffffffffffffffffff01", "0b", "12ff7f", "0a0361"] {
                for method in ["Encrypt", "Decrypt"] {
                    let answer = try await server.ask(
                        "raw", ["method": .string(HostileClientTests.service + method), "hex": .string(hex)])
                    #expect(answer["codes"].counts == ["INVALID_ARGUMENT": 1], "\(method) \(hex): \(answer)")
                }
            }
            for method in [
                HostileClientTests.service + "Destroy", "/v2.KeyManagementService", "/", "/v1.Nothing/Status",
                "/v1beta1.KeyManagementService/Status", "/trousseau.control.v1.Control/Stop",
            ] {
                let answer = try await server.ask("raw", ["method": .string(method)])
                #expect(answer["codes"].counts == ["UNIMPLEMENTED": 1], "\(method): \(answer)")
            }
            try await server.ask("boot")
            #expect(try plugin.descriptors == descriptors)
            #expect(plugin.process.isRunning)
        }
    }

    @Test("calls of methods that are not served, as a probe makes them for months, leave no memory behind")
    func unknownMethods() async throws {
        try await Node.serving { _, plugin, server in
            // Core has room for 16 kB of headers, so a path that is kept shows soon.
            let method = JSON.string("/grpc.health.v1.Health/" + String(repeating: "a", count: 4000))
            let first = try await server.ask("raw", ["method": method, "repeat": 1000])
            #expect(first["codes"].counts == ["UNIMPLEMENTED": 1000])
            let memory = try plugin.measure("VmRSS")
            let second = try await server.ask("raw", ["method": method, "repeat": 4000])
            #expect(second["codes"].counts == ["UNIMPLEMENTED": 4000])
            let after = try plugin.measure("VmRSS")
            #expect(after - memory < 4096, "\(after - memory) kB more memory than before")
            try await server.ask("boot")
        }
    }

    @Test("calls cancelled at any point disturb no other call")
    func cancelled() async throws {
        try await Node.serving { _, plugin, server in
            try await server.ask("load_start", ["threads": 4])
            let second = try await server.ask("cancel", ["count": 400])
            let load = try await server.ask("load_stop")
            #expect(second["codes"].counts["CANCELLED", default: 0] > 0)
            #expect(Set(second["codes"].counts.keys).isSubset(of: ["OK", "CANCELLED"]), "\(second)")
            #expect(Set(load["codes"].counts.keys) == ["OK"], "\(load)")
            #expect(load["hung"].number == 0)
            try await server.ask("boot")
        }
    }

    @Test("a client that dies in the midst of its calls leaves nothing behind")
    func dyingClient() async throws {
        try await Node.serving { node, plugin, server in
            let descriptors = try plugin.descriptors
            for _ in 0..<3 {
                let client = try await node.apiServer()
                try await client.ask("load_start", ["threads": 8])
                try await client.ask("hang", ["count": 4])
                try await client.ask("load_reached", ["calls": 100])
                await client.process.destroy()
                try await server.ask("boot")
            }
            try await eventually("\(descriptors) descriptors again", within: .seconds(20)) {
                try plugin.descriptors <= descriptors
            }
            #expect(plugin.process.isRunning)
        }
    }

    @Test(
        "connections that say nothing, or half of something, hold up nobody",
        arguments: [
            "nothing", "half", "preface", "garbage", "frame",
        ])
    func silence(_ say: String) async throws {
        try await Node.serving { node, plugin, server in
            try await server.ask("hold", ["count": 20, "say": .string(say)])
            let other = try await node.apiServer()
            try await other.ask("boot")
            try await server.ask("boot")
            try await server.ask("release")
            try await other.ask("boot")
        }
    }

    @Test("more connections than are taken: who is connected goes on, and when they leave others come in")
    func crowd() async throws {
        try await Node.serving { node, plugin, server in
            let crowd = try await node.apiServer()
            try await crowd.ask("hold", ["count": 100, "say": "preface"])
            try await server.ask("boot")
            try await server.ask("write", ["count": 50])
            try await crowd.ask("release")
            let late = try await node.apiServer()
            try await late.ask("boot")
            let many = try await late.ask("connections", ["count": 100, "together": 50])
            #expect(many["codes"].counts == ["OK": 100], "\(many)")
        }
    }

    @Test("a thousand connections and 20000 calls leave no descriptor, no thread and little memory behind")
    func resources() async throws {
        try await Node.serving { node, plugin, server in
            try await server.ask("write", ["count": 500])
            try await server.ask("read")
            try await server.ask("churn", ["count": 50])
            try await server.ask("boot")
            let descriptors = try plugin.descriptors
            let threads = try plugin.measure("Threads")
            let memory = try plugin.measure("VmRSS")

            try await server.ask("churn", ["count": 700])
            #expect(
                try await server.ask("connections", ["count": 300, "together": 30])["codes"].counts == ["OK": 300])
            try await server.ask("read", ["repeat": 40])
            try await eventually("\(descriptors) descriptors again", within: .seconds(20)) {
                try plugin.descriptors <= descriptors
            }
            // gRPC's own pool ends threads that were idle for a while.
            #expect(try plugin.measure("Threads") <= threads + 8)
            let after = try plugin.measure("VmRSS")
            #expect(after < 40960, "\(after) kB of memory")
            #expect(after - memory < 4096, "\(after - memory) kB more memory than before")
        }
    }

    @Test("bad requests without end write little into the log")
    func flood() async throws {
        try await Node.serving { _, plugin, server in
            let before = plugin.process.errors.utf8.count
            let bad = try await server.ask(
                "raw", ["method": "/v2.KeyManagementService/Decrypt", "hex": "0a0361", "repeat": 5000])
            #expect(bad["codes"].counts == ["INVALID_ARGUMENT": 5000])
            let garbage = try await server.ask(
                "raw", ["method": "/v2.KeyManagementService/Decrypt", "hex": "0a0361626312017528", "repeat": 5000])
            #expect(garbage["codes"].counts.keys.allSatisfy(refusals.contains))
            try await server.ask("churn", ["count": 300])
            try await server.ask("boot")
            let lines = plugin.process.errors.utf8.dropFirst(before).count(where: { $0 == UInt8(ascii: "\n") })
            #expect(lines < 300, "\(lines) lines")
        }
    }
}
