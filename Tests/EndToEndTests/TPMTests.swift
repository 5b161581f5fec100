import Glibc
import TestSupport
import Testing

@Suite("A node with a TPM", .serialized)
struct TPMTests {
    @Test("its TPM alone: after a power loss and a restart everything decrypts, and the local seal opens it")
    func reboot() async throws {
        try await TPMNode.with([.tpm()]) { node, tpm in
            let server = try await node.start()
            try await server.ask("write", ["count": 20])
            #expect(try await node.locals().map(\.state) == ["verified"])
            try await node.stop()
            try await tpm.losePower()
            try await node.serve()
            try await server.ask("boot", ["within": 60])
            #expect(try await server.ask("read")["codes"].counts.keys.sorted() == ["OK"])
            let keks = try await node.status()["keks"].array
            #expect(keks.map { $0["openedBy"].string } == ["node-tpm"])
            #expect(Files.exists(node.base.keyring + "/tpm/tpm-node-tpm.srk"))
            let doctor = try await node.base.run("doctor")
            #expect(doctor.output.contains("node-tpm"), "\(doctor.text)")
        }
    }

    @Test("HSM and TPM: with either one away a restart opens everything by the other")
    func either() async throws {
        try await TPMNode.with([.hsm, .tpm()]) { node, tpm in
            let server = try await node.start()
            try await server.ask("write", ["count": 20])
            try await node.stop()

            try Files.move(node.base.token.folder, to: node.base.scope.path("away"))
            try await node.serve()
            try await server.ask("boot", ["within": 60])
            #expect(try await server.ask("read")["codes"].counts.keys.sorted() == ["OK"])
            #expect(try await node.status()["keks"].array.map { $0["openedBy"].string } == ["node-tpm"])
            try await node.stop()
            try Files.move(node.base.scope.path("away"), to: node.base.token.folder)

            try await tpm.stop()
            try await node.serve()
            try await server.ask("boot", ["within": 60])
            #expect(try await server.ask("read")["codes"].counts.keys.sorted() == ["OK"])
            #expect(try await node.status()["keks"].array.map { $0["openedBy"].string } == ["rack-hsm"])
        }
    }

    @Test("a cleared TPM is told as that, the HSM opens, and the steps of docs/tpm.md enrol the TPM anew")
    func cleared() async throws {
        try await TPMNode.with([.tpm(), .hsm]) { node, tpm in
            let server = try await node.start()
            try await server.ask("write", ["count": 5])
            try await node.stop()
            try await tpm.tool("tpm2_clear")

            try await node.serve()
            try await server.ask("boot", ["within": 60])
            #expect(try await server.ask("read")["codes"].counts.keys.sorted() == ["OK"])
            let before = try await node.base.run("status")
            #expect(before.output.contains("the TPM was replaced or cleared"), "\(before.text)")
            #expect(before.output.contains("restart the plugin"), "\(before.text)")
            let pin = node.base.keyring + "/tpm/tpm-node-tpm.srk"
            try Files.move(pin, to: node.base.scope.path("old.srk"))
            try await node.stop()
            try await node.serve()
            try await server.ask("boot", ["within": 60])
            let resealed = try await node.base.run("reseal", ["--backend", "node-tpm", "--generate-keys"])
            #expect(resealed.succeeded, "\(resealed.text)")
            #expect(Files.exists(pin))
            try await node.stop()
            try await node.serve()
            try await server.ask("boot", ["within": 60])
            #expect(try await node.status()["keks"].array.map { $0["openedBy"].string } == ["node-tpm"])
            #expect(try await server.ask("read")["codes"].counts.keys.sorted() == ["OK"])
        }
    }

    @Test("local/ lost: the TPM does not open the record's seal unasked; recover with the key_id does")
    func localLost() async throws {
        try await TPMNode.with([.tpm()]) { node, _ in
            let server = try await node.start()
            let keyID = try await node.status()["keyID"].string
            try await server.ask("write", ["count": 20])
            try await node.stop()
            try Files.remove(node.base.keyring + "/local")

            try await node.serve()
            try await eventually("status says what to do", within: .seconds(60)) {
                let state = try await node.status()["state"]
                return state["phase"].string == "blocked" && state["hint"].string.contains("trousseau recover")
            }
            try await node.stop()
            try Files.move(node.base.keyring, to: node.base.scope.path("lost"))
            let recovered = try await node.base.run(
                "recover", ["--from", node.base.scope.path("lost"), "--key-id", keyID, "--generate-keys"])
            #expect(recovered.succeeded, "\(recovered.text)")
            try await node.serve()
            try await server.ask("boot", ["within": 60])
            #expect(try await server.ask("read")["codes"].counts.keys.sorted() == ["OK"])
            #expect(try await node.locals().count == 2)
        }
    }

    @Test("an answer that is changed on the bus is counted in the metrics, and status says it")
    func alarm() async throws {
        let port = try Loopback.freePort()
        try await TPMNode.with([.tpm()], metrics: port, isWatched: true) { node, _ in
            _ = try await node.start()
            let proxy = try #require(node.proxy)
            func alarms() throws -> Double? {
                let answer = try HTTPResponse.get("/metrics", .port(UInt16(port)))
                return try ExpositionText(parsing: answer.body)
                    .value("trousseau_tpm_alarms_total", ["backend": "node-tpm"])
            }
            #expect(try alarms() == 0)
            proxy.inject(.alterAnswer, into: 0x15E)
            let resealed = try await node.base.run("reseal")
            #expect(resealed.succeeded, "\(resealed.text)")
            #expect(try alarms() == 1)
            #expect(try await node.status()["backends"].array.map { $0["alarms"] } == [1])
            let status = try await node.base.run("status")
            #expect(status.output.contains("look at the hardware"), "\(status.text)")
        }
    }
}
