internal import Glibc
internal import Keyring

/// Everything that `doctor` can check about Vault, in the order in which a start needs it; stops where the next check
/// cannot be made.
struct Diagnosis: Sendable {
    let configuration: CheckedConfiguration
    let client: VaultClient
    let method: LoginMethod
    let transit: Transit
    let book: KeyBook

    func run(_ until: ContinuousClock.Instant) async -> [Finding] {
        var findings = places()
        for file in method.files {
            findings.append(finding(file) { (file) throws(VaultError) in _ = try file.read() })
        }
        for file in method.certificates {
            findings.append(finding(file) { (file) throws(VaultError) in try file.check() })
        }
        let server = await health(until)
        findings.append(server)
        guard server.severity != .error else { return findings }

        do throws(VaultError) {
            let token = try await transit.api.send(.get, "auth/token/lookup-self", until: until)
            findings.append(Finding(.ok, "login", "by \(method.name)"))
            findings += self.token(token)
        } catch {
            findings.append(failure("login", error))
            return findings
        }
        do throws(VaultError) {
            findings += key(try await transit.read(until))
        } catch {
            findings.append(failure("key \(transit.keyPath)", error))
            return findings
        }
        do throws(VaultError) {
            findings += try await rights(until)
        } catch {
            findings.append(
                Finding(.warning, "policy", "cannot be looked at: \(error.message)", hint: "see docs/vault.md"))
        }
        return findings
    }

    private func failure(_ subject: String, _ error: VaultError) -> Finding {
        Finding(.error, subject, error.message, hint: error.hint)
    }

    /// A Vault that needs the cluster cannot unseal it.
    private func places() -> [Finding] {
        configuration.addresses.compactMap { address in
            if !address.isEncrypted {
                return Finding(
                    .warning, "address \(address.url)", "is not encrypted",
                    hint: "tokens and KEKs cross this machine's loopback in clear: only an agent may stand there")
            }
            guard !address.isNumeric, let why = ClusterNames.suspicion(address.host, resolver: ClusterNames.resolver())
            else { return nil }
            return Finding(
                .warning, "address \(address.url)", why,
                hint: "kube-apiserver needs this plugin before the cluster's Services and DNS work: use a Vault outside"
            )
        }
    }

    private func finding(_ file: SecretFile, _ check: (SecretFile) throws(VaultError) -> Void) -> Finding {
        do throws(VaultError) {
            try check(file)
            return Finding(.ok, "credential \(file.path)", "readable")
        } catch {
            return failure("credential \(file.path)", error)
        }
    }

    /// TLS is checked with it: no answer comes otherwise.
    private func health(_ until: ContinuousClock.Instant) async -> Finding {
        let answer: VaultAnswer
        do throws(VaultError) {
            answer = try await client.ask(.get, "sys/health", until: until)
        } catch {
            return failure("Vault", error)
        }
        let version = answer.document?.root["version"]?.text.map { "version \(ServerText.shorten($0)), " } ?? ""
        switch answer.status {
        case 200: return Finding(.ok, "Vault", version + "active")
        case 429: return Finding(.ok, "Vault", version + "a standby")
        case 473: return Finding(.ok, "Vault", version + "a performance standby")
        default:
            return failure(
                "Vault", VaultError(status: answer.status, "GET sys/health", answer.document.map { _ in "" }))
        }
    }

    private func token(_ answer: VaultAnswer) -> [Finding] {
        let policies = answer.data?["policies"]?.elements.compactMap(\.text).map { ServerText.shorten($0) } ?? []
        let seconds = answer.data?["ttl"]?.integer ?? 0
        let isRenewable = answer.data?["renewable"]?.bool ?? false
        let life = seconds > 0 ? "\(seconds) s left" + (isRenewable ? ", renewable" : "") : "does not expire"
        var findings = [Finding(.ok, "token", "\(life); policies \(policies.joined(separator: ", "))")]
        if policies.contains("root") {
            findings.append(
                Finding(
                    .warning, "token", "is a root token: whoever takes it has all of Vault",
                    hint: "give this node a token with the policy of docs/vault.md"))
        } else if !method.makesTokens && seconds > 0 && !isRenewable {
            findings.append(
                Finding(
                    .warning, "token", "cannot be renewed, and this node cannot log in by itself",
                    hint: "let an agent rewrite the file, or use AppRole or a certificate"))
        }
        return findings
    }

    private func key(_ key: TransitKey) -> [Finding] {
        let subject = "key \(transit.keyPath)"
        if let refusal = key.refusal { return [Finding(.error, subject, refusal.reason, hint: refusal.hint)] }
        let recipient = (try? book.recipient(of: key).id).map { ", recipient \($0)" } ?? ""
        let versions =
            "\(key.type), version \(key.latestVersion), opens from version \(key.minimumDecryptionVersion) on"
        return [Finding(.ok, subject, versions + recipient)]
            + key.warnings(transit.keyPath).map { Finding(.warning, subject, $0.reason, hint: $0.hint) }
    }

    /// What shows the key, destroys it or some of its versions, puts another one in its place, or takes the engine away.
    private static let dangers = [
        "MOUNT/keys/KEY/config", "MOUNT/keys/KEY/trim", "MOUNT/keys/KEY/import", "MOUNT/keys/KEY/import_version",
        "MOUNT/keys/KEY/soft-delete", "MOUNT/export/encryption-key/KEY", "MOUNT/byok-export/KEY/KEY",
        "MOUNT/backup/KEY", "MOUNT/restore", "MOUNT/restore/KEY", "sys/mounts/MOUNT", "sys/mounts/MOUNT/tune",
        "sys/remount",
    ]
    private static let harm: Set<String> = ["read", "update", "create", "patch", "delete", "sudo", "root"]

    /// Least rights: what is needed, and nothing that would destroy or show the key.
    private func rights(_ until: ContinuousClock.Instant) async throws(VaultError) -> [Finding] {
        let (mount, key) = (transit.mount, transit.key)
        let wanted = ["encrypt", "decrypt", "rewrap"].map { "\(mount)/\($0)/\(key)" }
        let dangerous = Diagnosis.dangers.map { $0.replacing("MOUNT", with: mount).replacing("KEY", with: key) }
        let paths = (wanted + dangerous + [transit.keyPath]).map { JSONText.quote($0) }.joined(separator: ",")
        let answer = try await transit.api.send(
            .post, "sys/capabilities-self", RequestBody(try SecretText.plain("{\"paths\":[\(paths)]}")), until: until)
        func may(_ path: String) -> Set<String> {
            Set((answer.data?[path] ?? answer.document?.root[path])?.elements.compactMap(\.text) ?? [])
        }
        var findings: [Finding] = []
        for path in wanted where may(path).isDisjoint(with: ["update", "root"]) {
            let severity: Finding.Severity = path.contains("/rewrap/") ? .warning : .error
            findings.append(Finding(severity, "policy", "does not allow \(path)", hint: StatusFailure.denied))
        }
        func warn(_ reason: String) {
            findings.append(Finding(.warning, "policy", reason, hint: "narrow it to what docs/vault.md lists"))
        }
        for path in dangerous where !may(path).isDisjoint(with: Diagnosis.harm) {
            warn("allows \(path), which this node does not need")
        }
        for path in wanted where path.contains("/encrypt/") && may(path).contains("create") {
            warn("allows to create by \(path): a wrong name would make another key")
        }
        if !may(transit.keyPath).isDisjoint(with: ["delete", "root"]) { warn("allows to delete \(transit.keyPath)") }
        return findings.isEmpty ? [Finding(.ok, "policy", "allows what is needed, and no more of the key")] : findings
    }
}
