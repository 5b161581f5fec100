internal import Keyring

/// The findings of `doctor`, to be printed.
struct DoctorReport {
    let findings: [Finding]

    /// 1 when something keeps the plugin from starting or serving; a warning does not.
    var exitCode: ExitCode { findings.contains { $0.severity == .error } ? .failure : .success }

    var text: String {
        var table = Table("", "WHAT", "FOUND")
        for finding in findings {
            table.add(finding.severity.rawValue, finding.subject, finding.detail)
            if let hint = finding.hint, finding.severity != .ok { table.add("", "", "-> \(hint)") }
        }
        let errors = findings.count { $0.severity == .error }
        let warnings = findings.count { $0.severity == .warning }
        return table.text
            + "\(errors) \(errors == 1 ? "error" : "errors"), \(warnings) \(warnings == 1 ? "warning" : "warnings")\n"
    }

    var json: JSONValue {
        .members(
            ("ok", .bool(exitCode == .success)),
            (
                "findings",
                .array(
                    findings.map { finding in
                        .members(
                            ("severity", .string(finding.severity.rawValue)), ("subject", .string(finding.subject)),
                            ("detail", .string(finding.detail)), ("hint", finding.hint.map(JSONValue.string)))
                    })
            ))
    }
}
