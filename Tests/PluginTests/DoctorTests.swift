import Configuration
import Glibc
import Keyring
import TestSupport
import Testing

@testable import Plugin

@Suite("Doctor")
struct DoctorTests {
    /// Findings about a folder in which everything is as it should be, after `change`.
    private func findings(_ change: (_ root: String, _ configuration: inout PluginConfiguration) throws -> Void) throws
        -> [Finding]
    {
        try TemporaryDirectory.with { root in
            for folder in ["keyring", "kms", "control"] { try #require(mkdir("\(root)/\(folder)", 0o700) == 0) }
            let text = """
                apiVersion: trousseau/v1alpha1
                kind: PluginConfiguration
                keyring: {name: prod, directory: \(root)/keyring}
                server:
                  socket: {path: \(root)/kms/kms.sock, allowUsers: [\(getuid())]}
                  control: {path: \(root)/control/control.sock, allowUsers: [\(getuid())]}
                backends: [{name: a, pkcs11: {module: /m.so, key: "pkcs11:token=a"}}]
                """
            var configuration = try PluginConfiguration.parse(Array(text.utf8), file: "c", accounts: .system)
            let file = open("\(root)/config.yaml", O_CREAT | O_WRONLY, 0o600)
            close(file)
            try change(root, &configuration)
            return HostFindings(
                configuration: configuration, configurationPath: "\(root)/config.yaml", user: getuid()
            ).all
        }
    }

    private func details(_ findings: [Finding], _ severity: Finding.Severity) -> [String] {
        findings.filter { $0.severity == severity }.map(\.detail)
    }

    @Test("finds nothing wrong where nothing is")
    func healthy() throws {
        let findings = try findings { _, _ in }
        #expect(findings.allSatisfy { $0.severity == .ok })
        #expect(findings.count == 4)
        #expect(DoctorReport(findings: findings).exitCode == .success)
    }

    @Test("finds a configuration that others may change")
    func configurationMode() throws {
        let findings = try findings { root, _ in chmod("\(root)/config.yaml", 0o666) }
        #expect(details(findings, .error) == ["others than its owner may change it (mode 0666)"])
    }

    @Test("finds a keyring's folder that is missing, open to others or no folder")
    func keyringFolder() throws {
        #expect(details(try findings { root, _ in rmdir("\(root)/keyring") }, .error) == ["No such file or directory"])
        #expect(
            details(try findings { root, _ in chmod("\(root)/keyring", 0o770) }, .error) == [
                "others may write to it (mode 0770)"
            ])
        // The plugin starts with it: what is in there is sealed.
        let readable = try findings { root, _ in chmod("\(root)/keyring", 0o750) }
        #expect(details(readable, .warning) == ["others may open it (mode 0750)"])
        #expect(details(readable, .error).isEmpty)
        let file = try findings { root, configuration in configuration.keyring.directory = "\(root)/config.yaml" }
        #expect(details(file, .error) == ["is not a folder"])
    }

    @Test("finds a socket's folder that is missing or in which others may put a socket")
    func socketFolder() throws {
        let missing = try findings { root, configuration in
            configuration.server.socket.path = "\(root)/none/kms/kms.sock"
        }
        #expect(details(missing, .error).first?.hasSuffix("/none/kms: No such file or directory") == true)
        // The server makes the last folder of a path.
        let makeable = try findings { root, _ in rmdir("\(root)/kms") }
        #expect(details(makeable, .error).isEmpty)
        #expect(makeable.contains { $0.detail.hasSuffix("/kms is missing: serve will make it") })
        let sticky = try findings { root, _ in chmod("\(root)/control", 0o1777) }
        #expect(details(sticky, .error).isEmpty)
        let open = try findings { root, _ in chmod("\(root)/control", 0o777) }
        #expect(details(open, .error).first?.hasPrefix("others may put a socket of their own into ") == true)
    }

    @Test("finds a user that is allowed but kept out by the socket's mode")
    func unreachable() throws {
        let findings = try findings { _, configuration in configuration.server.socket.allowUsers = [4_000_000] }
        #expect(details(findings, .warning) == ["user 4000000 is allowed, but mode 0600 keeps it out"])
        #expect(DoctorReport(findings: findings).exitCode == .success)
    }

    @Test("tells a living socket from a stale one and from a file")
    func sockets() throws {
        let living = try findings { root, _ in
            let listener = try UnixConnection.listen(at: "\(root)/kms/kms.sock")
            close(listener)
            let file = Glibc.open("\(root)/control/control.sock", O_CREAT | O_WRONLY, 0o600)
            close(file)
        }
        #expect(living.contains { $0.detail == "is stale: serve will replace it" })
        #expect(details(living, .error) == ["something that is no socket is in the way"])
    }

    @Test("prints a table, the counts, and hints for what is wrong")
    func report() {
        let report = DoctorReport(findings: [
            Finding(.ok, "a", "fine", hint: "not shown"), Finding(.warning, "bb", "odd"),
            Finding(.error, "c", "broken", hint: "mend it"),
        ])
        #expect(
            report.text == """
                         WHAT  FOUND
                ok       a     fine
                warning  bb    odd
                error    c     broken
                               -> mend it
                1 error, 1 warning

                """)
        #expect(report.exitCode == .failure)
        #expect(report.json["ok"] == .bool(false))
    }
}
