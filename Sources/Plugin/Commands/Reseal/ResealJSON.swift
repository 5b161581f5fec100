internal import Keyring

/// The report of `trousseau reseal`, as JSON: what `--output json` prints and the control socket carries. Members may be
/// added in later versions.
enum ResealJSON {
    /// - Parameter isRunning: whether a running plugin did it.
    static func report(_ report: ResealReport, isRunning: Bool) -> JSONValue {
        .members(
            ("running", .bool(isRunning)), ("complete", .bool(report.isComplete)),
            ("oldKeyID", report.oldKeyID.map(JSONValue.string)), ("keyID", report.keyID.map(JSONValue.string)),
            ("pcrs", report.expecting.isEmpty ? nil : .array(report.expecting.map(JSONValue.string))),
            ("seals", .array(report.rows.map(row))),
            (
                "backends",
                .array(
                    report.backends.map {
                        .members(("name", .string($0.name)), ("unsealOnly", .bool($0.unsealOnly)))
                    })
            ))
    }

    private static func row(_ row: ResealReport.Row) -> JSONValue {
        .members(
            ("generation", .integer(Int64(clamping: row.generation))), ("kekID", .string(row.kekID.description)),
            ("backend", row.backend.map(JSONValue.string)), ("kind", .string(row.kind)),
            ("recipient", row.recipientID.map(JSONValue.string)), ("local", row.isLocal ? .bool(true) : nil),
            ("outcome", .string(row.outcome.rawValue)),
            ("verified", .bool(row.isVerified)), ("note", row.note.map(JSONValue.string)),
            ("hint", row.hint.map(JSONValue.string)))
    }
}
