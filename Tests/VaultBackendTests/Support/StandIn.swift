import TestSupport

@testable import VaultBackend

/// Vault's stand-in in a process of its own (Tests/VaultStandIn), and its control socket.
struct StandIn: Sendable {
    let process: ChildProcess
    let folder: String
    let port: Int

    /// One request that it has seen.
    struct Seen: Sendable {
        let method: String
        let path: String
        let namespace: String
        let token: String?
        let body: String
        let status: Int?
        let connection: Int
        /// As it was told.
        let text: String
    }

    /// Starts it with `server.pem`, `server.key` and the authority of the scope's certificates.
    static func start(
        _ scope: TestScope, _ name: String = "vault", certificates: Certificates, certificate: String = "server",
        root: String, options: [String] = []
    ) async throws -> StandIn {
        let folder = scope.path(name)
        try Files.makeDirectory(folder)
        for (from, to) in [
            ("\(scope.path(certificate)).pem", "server.pem"), ("\(scope.path(certificate)).key", "server.key"),
            (certificates.authority, "ca.pem"),
        ] {
            try Files.write(try Files.read(from), to: "\(folder)/\(to)")
        }
        try Files.write(root, to: "\(folder)/root-token")
        let script = PackageSources.root + "/Tests/VaultStandIn/stand_in.py"
        let process = try scope.start("python3", ["-B", script, folder] + options)
        try await process.waitForOutput("listening ", within: .seconds(30))
        try await eventually("the stand-in's port", within: .seconds(10)) { process.output.hasSuffix("\n") }
        guard let port = process.output.split(separator: "\n").first?.split(separator: " ").last.flatMap({ Int($0) })
        else { throw TestError("the stand-in says \(process.output)") }
        return StandIn(process: process, folder: folder, port: port)
    }

    /// Asks it for something that Vault has no call for.
    @discardableResult
    func control(_ call: String, _ json: String = "{}") throws -> String {
        let length = json.utf8.count
        let answer = try HTTPResponse.to(
            "POST /\(call) HTTP/1.0\r\nContent-Length: \(length)\r\n\r\n\(json)", .unix("\(folder)/control"))
        guard answer.status == 200 else { throw TestError("\(call): \(answer.status) \(answer.body)") }
        return answer.body
    }

    /// Plays a fault at paths that contain `path`; see Tests/VaultStandIn/faults.py.
    func fault(_ path: String, _ fault: String, count: Int? = nil) throws {
        let count = count.map { ",\"count\":\($0)" } ?? ""
        try control("fault", "{\"path\":\(JSONText.quote(path)),\(fault)\(count)}")
    }

    /// No faults any more.
    func mend() throws { try control("mend") }

    /// All requests so far; afterwards they are forgotten.
    func takeSeen() throws -> [Seen] {
        let text = Array(try control("seen", "{\"forget\":true}").utf8)
        let buffer = WipedBuffer(limit: 4 << 20)
        guard text.span.withUnsafeBytes({ buffer.append($0) }), let document = JSONDocument(buffer) else {
            throw TestError("the stand-in tells no JSON: \(text.count) bytes")
        }
        return (document.root["requests"]?.elements ?? []).map { request in
            Seen(
                method: request["method"]?.text ?? "", path: request["path"]?.text ?? "",
                namespace: request["namespace"]?.text ?? "", token: request["token"]?.text,
                body: request["body"]?.text ?? "", status: request["status"]?.integer,
                connection: request["connection"]?.integer ?? 0,
                text: (request["headers"]?.members ?? []).map { "\($0.name): \($0.value.text ?? "")" }
                    .joined(separator: "\n"))
        }
    }
}
