import Glibc
import TestSupport
import Testing

@Suite("Operations", .serialized)
struct OperationsTests {
    private static func node(_ scope: TestScope, port: Int, level: String = "info") async throws -> Node {
        let node = try await Node.make(scope)
        let text = try Files.readText(node.configuration)
        try Files.write(
            text + "metrics: {listen: \"127.0.0.1:\(port)\"}\nlog: {format: json, level: \(level)}\n",
            to: node.configuration)
        return node
    }

    @Test("show the requests of kube-apiserver, the KEK and the HSM, and that the plugin is ready")
    func serving() async throws {
        try await TestScope.with { scope in
            let port = try Loopback.freePort()
            let address = HTTPAddress.port(UInt16(port))
            let node = try await OperationsTests.node(scope, port: port, level: "debug")
            let keyID = try await node.initialize()
            let plugin = try await node.serve()
            let server = try await node.apiServer()
            try await server.ask("boot")
            try await server.ask("write", ["count": 20])
            try await server.ask("read")

            let answer = try HTTPResponse.get("/metrics", address)
            #expect(answer.status == 200 && answer.headers["content-type"]?.contains("version=0.0.4") == true)
            let metrics = try ExpositionText(parsing: answer.body)
            let encrypt = "/v2.KeyManagementService/Encrypt"
            let encrypts = try #require(
                metrics.value("trousseau_kms_requests_total", ["method": encrypt, "code": "OK"]))
            #expect(encrypts >= 20)
            #expect(metrics.value("trousseau_kms_request_duration_seconds_count", ["method": encrypt]) == encrypts)
            #expect(
                try #require(metrics.value("trousseau_kms_request_duration_seconds_sum", ["method": encrypt])) > 0)
            #expect(
                metrics.value("trousseau_kms_request_duration_seconds_bucket", ["method": encrypt, "le": "5e-05"])
                    != nil)
            #expect(metrics.value("trousseau_keyring_phase", ["phase": "serving"]) == 1)
            #expect(metrics.value("trousseau_kek_generation", ["role": "active"]) == 1)
            #expect(metrics.value("trousseau_kek_open", ["role": "active"]) == 1)
            #expect(metrics.value("trousseau_backend_up", ["backend": "rack-hsm", "kind": "pkcs11"]) == 1)
            #expect(metrics.value("trousseau_seals", ["backend": "rack-hsm", "state": "verified"]) == 1)
            #expect(try #require(metrics.value("trousseau_connections", ["socket": "kms"])) >= 1)
            #expect(try #require(metrics.value("trousseau_secure_heap_bytes")) > 0)
            #expect(metrics.families["trousseau_build_info"]?.samples.count == 1)
            let hash = try await ChildProcess.run(
                "/bin/sh", ["-c", "printf %s \"$1\" | sha256sum", "sh", keyID], within: .seconds(20))
            let digest = String(hash.output.prefix { $0 != " " })
            #expect(metrics.value("trousseau_key_id_info", ["key_id_hash": "sha256:\(digest)"]) == 1)

            let ready = try HTTPResponse.get("/readyz?verbose", address)
            #expect(ready.status == 200 && ready.body == "ok\nbackend rack-hsm: ok\n")
            #expect(try HTTPResponse.get("/livez", address).body == "ok\n")

            let end = try await plugin.stop()
            #expect(end.exit == .code(0))
            // Every line of the log is an object, gRPC core's own included.
            let lines = end.errors.split(separator: "\n")
            #expect(lines.count >= 3)
            for line in lines {
                let object = try JSON(parsing: String(line))
                #expect(["debug", "info", "warning", "error"].contains(object["level"].string), "\(line)")
                #expect(!object["message"].string.isEmpty && object["time"].string.hasSuffix("Z"), "\(line)")
            }
        }
    }

    @Test("say that a plugin without its HSM lives and is not ready, and why; probes are no requests")
    func waiting() async throws {
        try await TestScope.with { scope in
            let port = try Loopback.freePort()
            let address = HTTPAddress.port(UInt16(port))
            let node = try await OperationsTests.node(scope, port: port)
            try await node.initialize()
            try Files.move(node.token.folder, to: scope.path("away"))
            let plugin = try await node.serve()
            try await eventually("a reason that names rack-hsm", within: .seconds(30)) {
                let answer = try HTTPResponse.get("/readyz", address)
                return answer.status == 503 && answer.body.contains("rack-hsm")
            }
            #expect(try HTTPResponse.get("/livez", address).status == 200)
            try await eventually("the backend's state", within: .seconds(30)) {
                try HTTPResponse.get("/readyz?verbose", address).body.contains("backend rack-hsm: failing: ")
            }
            let metrics = try ExpositionText(parsing: try HTTPResponse.get("/metrics", address).body)
            #expect(metrics.value("trousseau_keyring_phase", ["phase": "serving"]) == 0)
            #expect(metrics.value("trousseau_kek_closed", ["role": "active"]) == 1)
            #expect(metrics.value("trousseau_backend_up", ["backend": "rack-hsm", "kind": "pkcs11"]) == 0)
            #expect(metrics.families["trousseau_kms_requests_total"] == nil)

            try Files.move(scope.path("away"), to: node.token.folder)
            try await eventually("ready", within: .seconds(60)) {
                try HTTPResponse.get("/readyz", address).status == 200
            }
            #expect(try await plugin.stop().exit == .code(0))
        }
    }

    @Test("are not in the way: a plugin whose address is taken serves without them, and says so")
    func addressTaken() async throws {
        try await TestScope.with { scope in
            let port = try Loopback.freePort()
            let first = try await OperationsTests.node(scope, port: port)
            try await first.initialize()
            let blocker = try scope.start(
                "/usr/bin/python3",
                [
                    "-c",
                    "import socket, sys, time\ns = socket.create_server(('127.0.0.1', \(port)))\n"
                        + "print('ready', flush=True)\ntime.sleep(600)",
                ])
            try await blocker.waitForOutput("ready", within: .seconds(60))
            let plugin = try await first.serve()
            try await (try await first.apiServer()).ask("boot")
            let end = try await plugin.stop()
            #expect(end.errors.contains("no metrics") && end.errors.contains("127.0.0.1:\(port)"), "\(end.errors)")
        }
    }
}
