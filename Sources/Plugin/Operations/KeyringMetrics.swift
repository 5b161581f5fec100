internal import Crypto
internal import Keyring
internal import Operations

/// The keyring's report, for Prometheus. Labels are words of ours, the configuration's names of backends, and names of the
/// active and the prepared KEK: however many KEKs and seals there are, the series are as few.
enum KeyringMetrics {
    static func write(_ report: KeyringReport, to exposition: inout Exposition) {
        exposition.write(
            .gauge, "trousseau_keyring_phase", "1 for how far the keyring has come; serving is what it should be.",
            KeyringState.Phase.allCases.map { .init(["phase": $0.rawValue], report.state.phase == $0) })
        keks(report, &exposition)
        seals(report, &exposition)
        backends(report, &exposition)
        if let size = report.publicationSize {
            exposition.write(
                .gauge, "trousseau_publication_bytes", "Bytes of sealed keys that every object in etcd carries.",
                [.init([:], size)])
        }
        if let used = report.secureHeapUsed {
            exposition.write(
                .gauge, "trousseau_secure_heap_bytes", "Bytes in use on the heap for secrets.", [.init([:], used)])
        }
        exposition.write(
            .gauge, "trousseau_damaged_files", "Files of the keyring that were left alone.",
            [.init([:], report.damagedFiles.count)])
        exposition.write(
            .gauge, "trousseau_warnings", "Warnings that trousseau status shows.", [.init([:], report.warnings.count)])
    }

    // MARK: KEKs

    private static func keks(_ report: KeyringReport, _ exposition: inout Exposition) {
        let named = report.keks.filter { $0.role != .decryptsOnly }
        exposition.write(
            .gauge, "trousseau_kek_info", "The active and the prepared KEK.",
            named.map { .init(["role": $0.role.rawValue, "kek_id": "\($0.kekID)"], 1) })
        exposition.write(
            .gauge, "trousseau_kek_generation", "Generation of the active and the prepared KEK.",
            named.map { .init(["role": $0.role.rawValue], $0.generation) })
        exposition.write(
            .gauge, "trousseau_kek_open", "KEKs in memory, by role.",
            KEKReport.Role.allCases.map { role in
                .init(["role": role.rawValue], report.keks.count { $0.role == role && $0.isOpen })
            })
        exposition.write(
            .gauge, "trousseau_kek_closed", "KEKs that no backend has opened yet, by role.",
            KEKReport.Role.allCases.map { role in
                .init(["role": role.rawValue], report.keks.count { $0.role == role && !$0.isOpen })
            })
        if let keyID = report.keyID, let hash = keyIDHash(keyID) {
            exposition.write(
                .gauge, "trousseau_key_id_info",
                "The key_id in use, hashed as in kube-apiserver's apiserver_envelope_encryption_key_id_hash metrics.",
                [.init(["key_id_hash": hash], 1)])
        }
    }

    /// As kube-apiserver's metrics show a key_id: `sha256:` and the digest in hex.
    static func keyIDHash(_ keyID: String) -> String? {
        do throws(CryptoError) {
            return "sha256:" + Hex.encode(try SHA256.hash(Array(keyID.utf8)))
        } catch {
            return nil
        }
    }

    // MARK: Seals and backends

    /// `failed` besides the report's own states: it did not open when it was tried last.
    private static let states = ["verified", "unverified", "failed", "missing"]

    private static func seals(_ report: KeyringReport, _ exposition: inout Exposition) {
        let all = report.keks.flatMap(\.seals).filter { $0.state != .tombstone }
        let shared = counts(all.filter { !$0.isLocal })
        let local = counts(all.filter(\.isLocal))
        func samples(_ counts: [String: [String: Int]]) -> [Exposition.Sample] {
            report.backends.flatMap { backend in
                states.map {
                    Exposition.Sample(["backend": backend.name, "state": $0], counts[backend.name]?[$0] ?? 0)
                }
            }
        }
        let others = SealReport.State.otherNode.rawValue
        exposition.write(
            .gauge, "trousseau_seals", "Seals of all KEKs in their records, by this node's backend and state.",
            samples(shared) + [.init(["backend": "", "state": others], shared[""]?[others] ?? 0)])
        exposition.write(
            .gauge, "trousseau_local_seals", "Seals of all KEKs that stay on this node, by backend and state.",
            samples(local))
        exposition.write(
            .gauge, "trousseau_outdated_seals",
            "Seals of all KEKs that trousseau reseal would make anew or remove, by backend.", outdated(report))
    }

    /// A seal in the record that opens without the PIN that its backend has now is one of them.
    private static func outdated(_ report: KeyringReport) -> [Exposition.Sample] {
        let seals = report.keks.flatMap(\.seals).filter { $0.outdated != nil }
        return report.backends.map { backend in
            .init(["backend": backend.name], seals.count { $0.backend == backend.name })
        }
    }

    private static func counts(_ seals: [SealReport]) -> [String: [String: Int]] {
        var counts: [String: [String: Int]] = [:]
        for seal in seals {
            let hasFailed = seal.state == .unverified && seal.problem != nil
            counts[seal.backend ?? "", default: [:]][hasFailed ? "failed" : seal.state.rawValue, default: 0] += 1
        }
        return counts
    }

    private static func backends(_ report: KeyringReport, _ exposition: inout Exposition) {
        let backends = report.backends
        exposition.write(
            .gauge, "trousseau_backend_up", "1 if the backend's last call succeeded; none before its first call.",
            backends.filter { $0.state != .unknown }.map {
                .init(["backend": $0.name, "kind": $0.kind], $0.state == .ok)
            })
        exposition.write(
            .gauge, "trousseau_backend_breaker_open",
            "1 while the backend is asked by one call at a time and only after a pause, since it failed.",
            backends.map { .init(["backend": $0.name], $0.nextTry != nil || $0.isBeingTried) })
        exposition.write(
            .counter, "trousseau_backend_calls_total", "Calls that the backend was asked.",
            backends.map { .init(["backend": $0.name], $0.calls) })
        exposition.write(
            .counter, "trousseau_backend_spared_calls_total", "Calls that a failing backend was spared.",
            backends.map { .init(["backend": $0.name], $0.sparedCalls) })
        exposition.write(
            .gauge, "trousseau_backend_last_success_seconds", "How long ago the backend last answered.",
            backends.compactMap { backend in
                backend.lastSuccess.map { .init(["backend": backend.name], $0.secondsAsDouble) }
            })
        exposition.write(
            .gauge, "trousseau_backend_last_latency_seconds", "How long the backend's last answer took.",
            backends.compactMap { backend in
                backend.lastLatency.map { .init(["backend": backend.name], $0.secondsAsDouble) }
            })
        exposition.write(
            .counter, "trousseau_backend_failures_total", "Failed calls to the backend, by class.",
            backends.flatMap { backend in
                SealingError.Class.allCases.map {
                    .init(["backend": backend.name, "class": $0.rawValue], backend.failures[$0] ?? 0)
                }
            })
        let alarms = backends.compactMap { backend in
            backend.alarms.map { Exposition.Sample(["backend": backend.name], $0) }
        }
        guard !alarms.isEmpty else { return }
        exposition.write(
            .counter, "trousseau_tpm_alarms_total",
            "Answers in the TPM's name that the pinned TPM did not make: somebody on the bus may have changed them.",
            alarms)
    }
}
