/// Vault's stand-in in a process of its own (Tests/VaultStandIn), and its control socket.
public struct VaultStandIn: Sendable {
    /// It runs until its test's scope ends.
    public let process: ChildProcess
    /// With its files and its control socket.
    public let folder: String
    /// Of 127.0.0.1.
    public let port: Int

    /// Starts it with `server.pem`, `server.key` and the authority of the scope's certificates.
    public static func start(
        _ scope: TestScope, _ name: String = "vault", certificates: Certificates, certificate: String = "server",
        root: String, options: [String] = []
    ) async throws -> VaultStandIn {
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
        return VaultStandIn(process: process, folder: folder, port: port)
    }

    /// Asks it for something that Vault has no call for.
    @discardableResult
    public func control(_ call: String, _ json: String = "{}") throws -> String {
        let length = json.utf8.count
        let answer = try HTTPResponse.to(
            "POST /\(call) HTTP/1.0\r\nContent-Length: \(length)\r\n\r\n\(json)", .unix("\(folder)/control"))
        guard answer.status == 200 else { throw TestError("\(call): \(answer.status) \(answer.body)") }
        return answer.body
    }

    /// Plays a fault at paths that contain `path`; see Tests/VaultStandIn/faults.py.
    public func fault(_ path: String, _ fault: String, count: Int? = nil) throws {
        let count = count.map { ",\"count\":\($0)" } ?? ""
        try control("fault", "{\"path\":\"\(path)\",\(fault)\(count)}")
    }

    /// No faults any more.
    public func mend() throws { try control("mend") }
}
