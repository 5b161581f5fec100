internal import Crypto
internal import KMSServer
internal import Keyring

/// The report of `trousseau status`, as JSON: what `--output json` prints and the control socket carries. Members may be
/// added in later versions.
enum StatusJSON {
    /// The process that reports.
    struct Process {
        let pid: Int
        let uptime: Duration
    }

    /// Of a running plugin.
    static func running(_ report: KeyringReport, _ server: ServerStatistics?, _ process: Process) -> JSONValue {
        .members(
            [
                ("running", .bool(true)), ("version", .string(Trousseau.version)),
                ("pid", .integer(Int64(process.pid))), ("uptimeSeconds", seconds(process.uptime)),
            ] + keyring(report) + [
                ("requests", report.requests.map(requests)), ("server", server.map(self.server)),
                ("secureHeapUsedBytes", report.secureHeapUsed.map { .integer(Int64($0)) }),
            ])
    }

    /// Of the files, when no plugin runs.
    static func files(_ report: KeyringReport) -> JSONValue {
        .members([("running", .bool(false)), ("version", .string(Trousseau.version))] + keyring(report))
    }

    /// Of one seal.
    static func seal(_ seal: SealReport) -> JSONValue {
        .members(
            ("recipient", seal.recipientID.map(JSONValue.string)), ("kind", .string(seal.kind)),
            ("backend", seal.backend.map(JSONValue.string)), ("local", seal.isLocal ? .bool(true) : nil),
            ("state", .string(seal.state.rawValue)), ("verifiedSecondsAgo", seal.age.map(seconds)),
            ("verifiedBy", seal.verifiedBy.map(JSONValue.string)), ("outdated", seal.outdated.map(JSONValue.string)),
            ("problem", seal.problem.map(JSONValue.string)))
    }

    private static func keyring(_ report: KeyringReport) -> [(String, JSONValue?)] {
        [
            (
                "keyring",
                .members(
                    ("name", .string(report.name)), ("id", .string(Hex.encode(report.keyringID))),
                    ("directory", .string(report.directory)))
            ),
            (
                "state",
                .members(
                    ("phase", .string(report.state.phase.rawValue)),
                    ("reason", report.state.reason.map(JSONValue.string)),
                    ("hint", report.state.hint.map(JSONValue.string)))
            ),
            ("keyID", report.keyID.map(JSONValue.string)),
            ("publicationBytes", report.publicationSize.map { .integer(Int64($0)) }),
            ("keks", .array(report.keks.map(kek))),
            ("backends", .array(report.backends.map(backend))),
            ("policies", report.policies.isEmpty ? nil : .array(report.policies.map(policy))),
            (
                "damagedFiles",
                .array(
                    report.damagedFiles.map {
                        .members(("file", .string($0.file)), ("reason", .string($0.reason)))
                    })
            ),
            ("warnings", .array(report.warnings.map(JSONValue.string))),
        ]
    }

    private static func kek(_ kek: KEKReport) -> JSONValue {
        .members(
            ("generation", .integer(Int64(clamping: kek.generation))), ("kekID", .string(kek.kekID.description)),
            ("role", .string(kek.role.rawValue)), ("created", .integer(Int64(clamping: kek.created))),
            ("file", .string(kek.file)), ("open", .bool(kek.isOpen)), ("openedBy", kek.openedBy.map(JSONValue.string)),
            ("openingMilliseconds", kek.openingTook.map(milliseconds)), ("problem", kek.problem.map(JSONValue.string)),
            ("hint", kek.hint.map(JSONValue.string)), ("seals", .array(kek.seals.map(seal))))
    }

    private static func backend(_ backend: BackendReport) -> JSONValue {
        .members(
            ("name", .string(backend.name)), ("kind", .string(backend.kind)),
            ("unsealOnly", backend.unsealOnly ? .bool(true) : nil), ("state", .string(backend.state.rawValue)),
            ("nextTryMilliseconds", backend.nextTry.map(milliseconds)),
            ("beingTried", backend.isBeingTried ? .bool(true) : nil),
            ("calls", .integer(Int64(clamping: backend.calls))),
            ("sparedCalls", .integer(Int64(clamping: backend.sparedCalls))),
            ("lastSuccessSecondsAgo", backend.lastSuccess.map(seconds)),
            ("lastLatencyMilliseconds", backend.lastLatency.map(milliseconds)),
            ("lastError", backend.lastError.map(JSONValue.string)),
            ("lastErrorHint", backend.lastErrorHint.map(JSONValue.string)),
            ("lastErrorClass", (backend.lastErrorClass?.rawValue).map(JSONValue.string)),
            ("lastErrorSecondsAgo", backend.lastErrorAge.map(seconds)),
            ("alarms", backend.alarms.map { .integer(Int64(clamping: $0)) }))
    }

    private static func policy(_ policy: PolicyReport) -> JSONValue {
        .members(
            ("backend", .string(policy.backend)), ("recipient", .string(policy.recipientID)),
            ("local", policy.isLocal ? .bool(true) : nil), ("kind", .string(policy.kind.rawValue)),
            ("bank", policy.bank.map(JSONValue.string)),
            ("pcrs", policy.pcrs.isEmpty ? nil : .array(policy.pcrs.map { .integer(Int64($0)) })),
            ("satisfied", policy.isSatisfied.map(JSONValue.bool)),
            ("differing", policy.differing.isEmpty ? nil : .array(policy.differing.map { .integer(Int64($0)) })),
            ("problem", policy.problem.map(JSONValue.string)), ("hint", policy.hint.map(JSONValue.string)))
    }

    private static func requests(_ counts: RequestCounts) -> JSONValue {
        .members(
            ("encrypts", .integer(Int64(clamping: counts.encrypts))),
            ("decrypts", .integer(Int64(clamping: counts.decrypts))),
            ("failures", counters(counts.failures.map { ($0.key.rawValue, $0.value) })))
    }

    private static func server(_ server: ServerStatistics) -> JSONValue {
        .members(
            ("connections", .integer(Int64(server.connections))),
            ("controlConnections", .integer(Int64(server.controlConnections))),
            ("acceptedConnections", .integer(Int64(clamping: server.acceptedConnections))),
            ("refusedConnections", counters(server.refused.map { ($0.key.rawValue, $0.value) })),
            ("waitingDecrypts", .integer(Int64(server.coldCalls))),
            (
                "calls",
                .array(
                    server.requests.map {
                        .members(
                            ("method", .string($0.method)), ("code", .string($0.code)),
                            ("count", .integer(Int64(clamping: $0.count))))
                    })
            ))
    }

    private static func counters(_ counts: [(String, UInt64)]) -> JSONValue {
        .object(
            counts.sorted { $0.0 < $1.0 }.map {
                JSONValue.Member(name: $0.0, value: .integer(Int64(clamping: $0.1)))
            })
    }

    private static func seconds(_ duration: Duration) -> JSONValue { .integer(duration.components.seconds) }

    /// To a hundredth.
    private static func milliseconds(_ duration: Duration) -> JSONValue {
        .number((duration.secondsAsDouble * 1e5).rounded() / 100)
    }
}
