import Configuration
import Testing

@testable import Plugin

@Suite("What is printed")
struct OutputTests {
    @Test("as a table has columns as wide as their widest cell, and no spaces at the end of a line")
    func table() {
        var table = Table("NAME", "STATE", "HINT")
        #expect(table.text == "")
        table.add("rack-hsm", "ok", "")
        table.add("é", "wrong\npin", "see \u{202e}doctor")
        #expect(
            table.text == """
                NAME      STATE          HINT
                rack-hsm  ok
                é         wrong\\u{a}pin  see \\u{202e}doctor

                """)
    }

    @Test("as a failure is the reason, the hint and the details, each in lines of its own")
    func failure() {
        #expect(CommandFailure(.failure, "stop: no answer").text == "trousseau: stop: no answer\n")
        #expect(
            CommandFailure(
                .keyring, "init: a keyring is here already", hint: "name another directory", details: ["a", "b"]
            )
            .text == "trousseau: init: a keyring is here already\n  name another directory\na\nb\n")
    }

    private static let hostile = "a\u{1b}[2Jb\nc\u{202e}d"
    private static let shown = "a\\u{1b}[2Jb\\u{a}c\\u{202e}d"

    @Test("shows what devices, servers and files say in one line each, and no terminal obeys it")
    func hostileTexts() throws {
        let (hostile, shown) = (OutputTests.hostile, OutputTests.shown)
        #expect(
            CommandFailure(.failure, hostile, hint: hostile, details: [hostile]).text
                == "trousseau: \(shown)\n  \(shown)\n\(shown)\n")
        let text = JSONValue.string(hostile)
        let status = StatusText.render(
            .members(
                ("keyID", text), ("warnings", .array([text])),
                ("state", .members(("phase", text), ("reason", text), ("hint", text))),
                ("keyring", .members(("name", text), ("directory", text))),
                ("damagedFiles", .array([.members(("file", text), ("reason", text))])),
                ("keks", .array([.members(("kekID", text), ("problem", text), ("hint", text))])),
                (
                    "backends",
                    .array([.members(("name", text), ("state", .string("failing")), ("lastError", text))])
                ),
                (
                    "policies",
                    .array([.members(("backend", text), ("kind", text), ("bank", text), ("problem", text))])
                )))
        let reseal = ResealText.render(
            .members(
                ("oldKeyID", text), ("keyID", .string("x")),
                ("seals", .array([.members(("backend", text), ("note", text), ("hint", text))]))), [hostile])
        for (report, count) in [(status, 19), (reseal, 6)] {
            let left = report.unicodeScalars.filter { $0 != "\n" && $0.properties.generalCategory == .control }
            #expect(left.isEmpty && !report.contains("\u{202e}"), "\(report)")
            #expect(report.matches(of: /a\\u\{1b\}/).count >= count, "\(report)")
        }
    }

    @Test("about a refused configuration is each finding with its line")
    func configuration() throws {
        let error = #expect(throws: ConfigurationError.self) {
            try PluginConfiguration.parse(
                Array("apiVersion: trousseau/v1alpha1\nkind: PluginConfiguration\nkeyring: {name: A}\n".utf8),
                file: "/etc/c.yaml", accounts: AccountNames(passwd: "", group: ""))
        }
        #expect(
            ConfigurationLoading.failure(try #require(error)).text == """
                trousseau: the configuration is refused: 2 errors
                /etc/c.yaml:1: backends: is missing
                  name at least one backend, such as an HSM
                /etc/c.yaml:3: keyring.name: "A" is not an RFC 1123 label
                  use at most 63 of a-z, 0-9 and -, with a letter or digit at both ends

                """)
    }

    @Test("as an EncryptionConfiguration is one that kube-apiserver takes, for v2")
    func encryptionConfiguration() {
        let text = EncryptionConfigCommand.text(socket: "/run/trousseau/kms.sock", api: .v2, name: "trousseau")
        #expect(
            text.hasSuffix(
                """
                apiVersion: apiserver.config.k8s.io/v1
                kind: EncryptionConfiguration
                resources:
                - resources:
                  - secrets
                  providers:
                  - kms:
                      apiVersion: v2
                      name: trousseau
                      endpoint: unix:///run/trousseau/kms.sock
                      timeout: 3s
                  # Reads what is not encrypted yet. Remove it when everything was rewritten.
                  - identity: {}

                """))
        #expect(!text.contains("feature-gates"))
    }

    @Test("as an EncryptionConfiguration names the feature gate and the cache of v1, and an abstract socket")
    func encryptionConfigurationV1() {
        let text = EncryptionConfigCommand.text(socket: "@kms", api: .v1, name: "old")
        #expect(text.contains("--feature-gates=KMSv1=true"))
        #expect(text.contains("  - kms:\n      apiVersion: v1\n      cachesize: 1000\n      name: old\n"))
        #expect(text.contains("      endpoint: unix:///@kms\n"))
    }
}
