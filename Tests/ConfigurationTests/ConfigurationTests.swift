import Configuration
import Testing

@Suite("A configuration")
struct ConfigurationTests {
    @Test(
        "that is broken is refused with the line, the key and the reason of everything",
        arguments: BrokenConfiguration.all)
    func broken(_ broken: BrokenConfiguration) {
        let findings = BrokenConfiguration.findings(broken.configuration)
        #expect(!broken.expected.isEmpty)
        #expect(findings.map { "\($0.line): \($0.key): \($0.reason)" } == broken.expected)
        for finding in findings {
            #expect(finding.description.hasPrefix("config.yaml:\(finding.line): "))
            // What might be a PIN is never repeated.
            #expect(!finding.description.contains("1234") && finding.hint?.contains("1234") != true)
            #expect(!finding.reason.hasSuffix("."))
        }
    }

    @Test("has each of its keys read")
    func good() throws {
        let text = """
            apiVersion: trousseau/v1alpha1
            kind: PluginConfiguration
            keyring:
              {name: prod-1, directory: /srv/keyring, minimumSeals: 1, trustedKeyIDs: [prod-1/7/aaaabbbbccccdd77/eeeeffff]}
            server:
              allowUnlockedMemory: true
              socket:
                path: "@kms"
                allowAbstract: true
                allowUsers: [kube, 0]
                allowGroups: [kube]
              control: {path: /run/c/control.sock, mode: "0660", owner: kube, group: 7, allowUsers: [1000]}
            backends:
            - name: a
              unsealOnly: true
              deadline: 500ms
              pkcs11: {module: /m.so, key: "pkcs11:token=a", pinSource: /pin, maxSessions: 2, allowUnsafeKey: true}
            - name: b
              pkcs11: {module: /m.so, key: "pkcs11:token=b", allowPINCountLow: true, allowSHA1OAEP: true}
            - name: c
              recovery: {certificate: /recovery.pem}
            """
        let configuration = try BrokenConfiguration.parse(text)
        #expect(configuration.keyring.name == "prod-1")
        #expect(configuration.keyring.directory == "/srv/keyring")
        #expect(configuration.keyring.minimumSeals == 1)
        #expect(configuration.keyring.trustedKeyIDs == ["prod-1/7/aaaabbbbccccdd77/eeeeffff"])
        #expect(configuration.server.allowUnlockedMemory)
        #expect(configuration.server.socket.isAbstract)
        #expect(configuration.server.socket.allowUsers == [1042, 0])
        #expect(configuration.server.socket.allowGroups == [1043])
        let control = configuration.server.control
        #expect(control.mode == 0o660 && control.owner == 1042 && control.group == 7 && control.allowUsers == [1000])
        #expect(configuration.backends.map(\.name) == ["a", "b", "c"])
        #expect(configuration.backends.map(\.unsealOnly) == [true, false, false])
        #expect(configuration.backends.map(\.deadline) == [.milliseconds(500), .seconds(10), .seconds(10)])
        #expect(configuration.backends.map(\.opensSeals) == [true, true, false])
        guard case .pkcs11(let first) = configuration.backends[0].kind,
            case .pkcs11(let second) = configuration.backends[1].kind,
            case .recovery(let third) = configuration.backends[2].kind
        else {
            Issue.record("\(configuration.backends)")
            return
        }
        #expect(third.certificate == "/recovery.pem")
        #expect(first.pinSource == "/pin" && first.maxSessions == 2 && first.allowUnsafeKey && !first.allowPINCountLow)
        #expect(second.pinSource == nil && second.maxSessions == 4 && !second.allowUnsafeKey && second.allowPINCountLow)
        #expect(!first.allowSHA1OAEP && second.allowSHA1OAEP)
    }

    @Test("has every way to log in to Vault")
    func vault() throws {
        let configuration = try BrokenConfiguration.parse(
            """
            apiVersion: trousseau/v1alpha1
            kind: PluginConfiguration
            keyring: {name: prod}
            backends:
            - name: a
              vault:
                address: "https://a:8200"
                otherAddresses: ["https://b:8200", "https://c:8200"]
                namespace: team/one
                mount: secrets/transit
                key: trousseau
                appRole: {mount: nodes, roleIDFile: /role, secretIDFile: /secret, secretIDWrapped: true}
                tls: {caFile: /ca.pem, certificateFile: /me.pem, keyFile: /me.key, serverName: vault.example}
                proxy: "http://proxy:3128"
            - name: b
              vault: {address: "https://b", key: k, tokenFile: /token}
            - name: c
              vault: {address: "https://b", key: k, kubernetes: {role: r, tokenFile: /token}}
            - name: d
              vault: {address: "https://b", key: k, jwt: {mount: m, role: r, tokenFile: /token}}
            - name: e
              vault: {address: "https://b", key: k, certificate: {role: r}}
            - name: f
              vault: {address: "https://b", key: k, appRole: {roleIDFile: /role}}
            """)
        let sections = configuration.backends.compactMap { backend -> PluginConfiguration.Vault? in
            if case .vault(let section) = backend.kind { section } else { nil }
        }
        #expect(configuration.backends.allSatisfy { $0.opensSeals })
        #expect(
            sections.map(\.login) == [
                .appRole(mount: "nodes", roleIDFile: "/role", secretIDFile: "/secret", secretIDWrapped: true),
                .tokenFile("/token"), .kubernetes(mount: "kubernetes", role: "r", tokenFile: "/token"),
                .jwt(mount: "m", role: "r", tokenFile: "/token"), .certificate(mount: "cert", role: "r"),
                .appRole(mount: "approle", roleIDFile: "/role", secretIDFile: nil, secretIDWrapped: false),
            ])
        let first = try #require(sections.first)
        #expect(first.address == "https://a:8200" && first.otherAddresses == ["https://b:8200", "https://c:8200"])
        #expect(first.namespace == "team/one" && first.mount == "secrets/transit" && first.key == "trousseau")
        #expect(first.caFile == "/ca.pem" && first.certificateFile == "/me.pem" && first.keyFile == "/me.key")
        #expect(first.serverName == "vault.example" && first.proxy == "http://proxy:3128")
        #expect(sections[1].mount == "transit" && sections[1].namespace == nil && sections[1].caFile == nil)
    }

    @Test("has defaults for all that it need not say")
    func defaults() throws {
        let configuration = try BrokenConfiguration.parse(
            """
            apiVersion: trousseau/v1alpha1
            kind: PluginConfiguration
            keyring: {name: prod}
            backends: [{name: a, pkcs11: {module: /m.so, key: "pkcs11:token=a"}}]
            """)
        #expect(configuration.keyring.directory == "/var/lib/trousseau/keyring")
        #expect(configuration.keyring.minimumSeals == nil && configuration.keyring.trustedKeyIDs.isEmpty)
        #expect(configuration.server.socket.path == "/run/trousseau/kms.sock")
        #expect(configuration.server.control.path == "/run/trousseau-control/control.sock")
        for socket in [configuration.server.socket, configuration.server.control] {
            #expect(socket.mode == 0o600 && socket.owner == nil && socket.group == nil)
            #expect(socket.allowUsers == [0] && socket.allowGroups.isEmpty)
        }
        #expect(!configuration.server.allowUnlockedMemory)
        #expect(configuration.metrics == nil)
        #expect(configuration.log == PluginConfiguration.Log(format: .text, level: .info))
    }

    @Test(
        "has metrics on this machine only",
        arguments: [
            ("127.0.0.1:9441", .ipv4(0x7f00_0001, port: 9441)), ("127.255.0.9:1", .ipv4(0x7fff_0009, port: 1)),
            ("[::1]:65535", .ipv6Loopback(port: 65535)), ("/run/metrics.sock", .unix("/run/metrics.sock")),
        ] as [(String, PluginConfiguration.Metrics.Listen)])
    func metrics(_ text: String, _ listen: PluginConfiguration.Metrics.Listen) throws {
        let configuration = try BrokenConfiguration.parse(
            BrokenConfiguration.good + "\nmetrics: {listen: \"\(text)\"}\nlog: {format: json, level: debug}")
        #expect(configuration.metrics?.listen == listen)
        #expect(configuration.log == PluginConfiguration.Log(format: .json, level: .debug))
    }

    @Test("is refused for everything at once, in the order of its lines")
    func everythingAtOnce() {
        let findings = BrokenConfiguration.findings(
            """
            apiVersion: v1
            keyring: {name: Prod, minimumSeals: none}
            server: {socket: {mode: "0666"}, control: {path: c.sock}, tls: true}
            backends:
            - name: a
              pkcs11: {modul: /m.so, key: "pkcs11:token=a?pin-value=9"}
            - name: a
            """)
        #expect(
            findings.map { "\($0.line) \($0.key)" } == [
                "1 apiVersion", "1 kind", "2 keyring.name", "2 keyring.minimumSeals", "3 server.socket.mode",
                "3 server.control.path", "3 server.tls", "6 backends[0].pkcs11.module", "6 backends[0].pkcs11.key",
                "6 backends[0].pkcs11.modul", "7 backends[1].name", "7 backends[1]",
            ])
    }

    @Test("reads every key of a TPM, and fills in what is not there")
    func tpm() throws {
        let text = """
            apiVersion: trousseau/v1alpha1
            kind: PluginConfiguration
            keyring: {name: prod}
            backends:
            - {name: a, tpm: {}}
            - {name: b, tpm: {device: "swtpm:path=/run/tpm/sock", pinSource: /etc/pin, idleClose: 1s}}
            - {name: c, tpm: {policy: {pcrs: ["sha256:7+11", "sha256:7"]}}}
            - {name: d, tpm: {policy: {signed: {}}}}
            - {name: e, tpm: {policy: {signed: {pcrs: "sha256:11", publicKey: /k.pem, signatures: /s.json}}}}
            """
        let kinds = try BrokenConfiguration.parse(text).backends.map { backend -> PluginConfiguration.TPM? in
            #expect(backend.opensSeals)
            guard case .tpm(let tpm) = backend.kind else { return nil }
            return tpm
        }
        let base = try #require(kinds[0])
        #expect(base.device == "device:/dev/tpmrm0" && base.pinSource == nil)
        #expect(base.idleClose == .seconds(3) && base.policy == .none)
        #expect(kinds[1]?.device == "swtpm:path=/run/tpm/sock" && kinds[1]?.pinSource == "/etc/pin")
        #expect(kinds[1]?.idleClose == .seconds(1) && kinds[1]?.policy == PluginConfiguration.TPM.Policy.none)
        #expect(
            kinds.dropFirst(2).map(\.?.policy) == [
                .literal(pcrs: ["sha256:7+11", "sha256:7"]), .signed(pcrs: nil, publicKey: nil, signatures: nil),
                .signed(pcrs: "sha256:11", publicKey: "/k.pem", signatures: "/s.json"),
            ])
    }

    @Test("says how to write no policy, and where a key belongs that more than one section has")
    func hintsOfTPM() {
        let text = """
            apiVersion: trousseau/v1alpha1
            kind: PluginConfiguration
            keyring: {name: prod}
            backends:
            - {name: a, tpm: {policy: {}}}
            - {name: b, pinSource: /etc/pin, tpm: {}}
            """
        let findings = BrokenConfiguration.findings(text)
        #expect(findings.map(\.key) == ["backends[0].tpm.policy", "backends[1].pinSource"])
        #expect(findings.first?.hint?.hasPrefix("for no policy leave the key policy away") == true)
        #expect(findings.last?.hint == "it belongs to backends[].pkcs11 or backends[].tpm")
    }
}
