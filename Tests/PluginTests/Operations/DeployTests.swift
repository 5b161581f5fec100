import TestSupport
import Testing

@testable import Plugin

@Suite("What deploy/ has")
struct DeployTests {
    private static let folder = PackageSources.root + "/deploy"
    private static let units = ["trousseau.service", "trousseau.socket", "trousseau-control.socket"]
    private static let program = "/usr/local/bin/trousseau"

    private static func lines(_ unit: String) throws -> [String] {
        try Files.readText("\(folder)/\(unit)").split(separator: "\n").map(String.init)
    }

    /// The build's folder may have a space in its name.
    private static func quoted(_ path: String) -> String { "\"\(path)\"" }

    @Test("are units that systemd accepts without a word")
    func verify() async throws {
        try await TestScope.with { scope in
            let program = try Files.executableDirectory() + "/trousseau"
            for unit in DeployTests.units {
                let text = try DeployTests.lines(unit).map { line in
                    line.hasPrefix("ExecStart=" + DeployTests.program)
                        ? "ExecStart=" + DeployTests.quoted(program)
                            + line.dropFirst("ExecStart=".count + DeployTests.program.count) : line
                }
                try Files.write(text.joined(separator: "\n") + "\n", to: scope.path(unit), mode: 0o644)
            }
            let verified = try await ChildProcess.run(
                "/usr/bin/systemd-analyze", ["verify", "--man=no"] + DeployTests.units.map(scope.path),
                within: .seconds(60))
            #expect(verified.succeeded && !verified.text.contains("trousseau"), "\(verified.text)")
            let exposure = try await ChildProcess.run(
                "/usr/bin/systemd-analyze",
                ["security", "--offline=true", "--threshold=40", scope.path("trousseau.service")],
                within: .seconds(60))
            #expect(exposure.succeeded, "\(exposure.text)")
        }
    }

    @Test("let the unit with a TPM in by its group, to no other device, and not before the boot's last phase")
    func tpm() async throws {
        try await TestScope.with { scope in
            let program = try Files.executableDirectory() + "/trousseau"
            let text = try Files.readText(DeployTests.folder + "/trousseau.service")
                .replacing("ExecStart=" + DeployTests.program, with: "ExecStart=" + DeployTests.quoted(program))
            try Files.write(text, to: scope.path("trousseau.service"), mode: 0o644)
            try Files.makeDirectory(scope.path("trousseau.service.d"), mode: 0o755)
            let dropIn = try Files.readText(DeployTests.folder + "/tpm.conf")
            for line in [
                "SupplementaryGroups=tss", "DevicePolicy=closed", "DeviceAllow=/dev/tpmrm0 rw",
                "After=systemd-pcrphase.service",
            ] {
                #expect(dropIn.split(separator: "\n").contains { $0 == line })
            }
            try Files.write(dropIn, to: scope.path("trousseau.service.d/tpm.conf"), mode: 0o644)
            let verified = try await ChildProcess.run(
                "/usr/bin/systemd-analyze", ["verify", "--man=no", scope.path("trousseau.service")],
                within: .seconds(60))
            #expect(verified.succeeded && !verified.text.contains("tpm.conf"), "\(verified.text)")
        }
    }

    @Test("start a command that there is")
    func command() throws {
        let start = try #require(try DeployTests.lines("trousseau.service").first { $0.hasPrefix("ExecStart=") })
        let words = start.dropFirst("ExecStart=".count).split(separator: " ").map(String.init)
        #expect(words.first == DeployTests.program)
        guard case .serve(let configuration) = try Command.parse(Array(words.dropFirst())) else {
            Issue.record("\(words)")
            return
        }
        #expect(configuration == "/etc/trousseau/config.yaml")
    }

    @Test("name the sockets as the plugin expects them, and come before what needs them")
    func sockets() throws {
        for (unit, name, path) in [
            ("trousseau.socket", "kms", "/run/trousseau/kms.sock"),
            ("trousseau-control.socket", "control", "/run/trousseau-control/control.sock"),
        ] {
            let lines = try DeployTests.lines(unit)
            #expect(lines.contains("FileDescriptorName=\(name)") && lines.contains("ListenStream=\(path)"))
            #expect(lines.contains("Service=trousseau.service"))
        }
        for unit in DeployTests.units {
            let before = try DeployTests.lines(unit).first { $0.hasPrefix("Before=") }
            for other in ["kubelet.service", "k3s.service", "rke2-server.service"] {
                #expect(before?.contains(other) == true)
            }
        }
        let service = try DeployTests.lines("trousseau.service")
        #expect(service.contains("Type=notify") && service.contains("RuntimeDirectoryPreserve=yes"))
        #expect(!service.contains { $0.contains("network") && !$0.hasPrefix("#") })
    }

    @Test("have a manifest that is YAML, mounts what the plugin needs and starts a command that there is")
    func manifest() async throws {
        // By a parser that is not the program's own, which refuses nothing that Kubernetes would take.
        let script = "import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))"
        let result = try await ChildProcess.run(
            "/usr/bin/python3", ["-c", script, DeployTests.folder + "/static-pod.yaml"], within: .seconds(60))
        #expect(result.succeeded, "\(result.text)")
        let pod = try JSONParser.parse(Array(result.output.utf8))
        #expect(pod["apiVersion"] == .string("v1") && pod["kind"] == .string("Pod"))
        let spec = try #require(pod["spec"])
        #expect(spec["priorityClassName"] == .string("system-node-critical") && spec["hostNetwork"] == .bool(true))
        let container = try #require(spec["containers"]?.items?.first)
        let words = try #require(container["command"]?.items).compactMap(\.string)
        guard case .serve("/etc/trousseau/config.yaml") = try Command.parse(Array(words.dropFirst())) else {
            Issue.record("\(words)")
            return
        }
        let mounts = try #require(container["volumeMounts"]?.items)
        let volumes = try #require(spec["volumes"]?.items)
        #expect(Set(mounts.map { $0["name"]?.string }) == Set(volumes.map { $0["name"]?.string }))
        for mount in mounts {
            let volume = volumes.first { $0["name"] == mount["name"] }
            // The same path inside and outside: what the configuration says is true for both.
            #expect(volume?["hostPath"]?["path"] == mount["mountPath"])
        }
        for path in ["/etc/trousseau", "/var/lib/trousseau", "/run/trousseau", "/run/trousseau-control"] {
            #expect(mounts.contains { $0["mountPath"] == .string(path) })
        }
        #expect(container["livenessProbe"]?["httpGet"]?["path"] == .string("/livez"))
        #expect(container["readinessProbe"]?["httpGet"]?["path"] == .string("/readyz"))
        #expect(container["securityContext"]?["allowPrivilegeEscalation"] == .bool(false))
    }
}
