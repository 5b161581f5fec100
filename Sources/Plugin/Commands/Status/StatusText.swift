internal import Crypto

/// The report of `trousseau status`, for people. It is made of the JSON, so that a running plugin need not be of the same
/// version.
enum StatusText {
    static func render(_ report: JSONValue) -> String {
        var text = head(report)
        text += section("KEKS", keks(report))
        text += section("SEALS", seals(report))
        text += section("BACKENDS", backends(report))
        text += section("POLICIES", StatusPolicies.table(report))
        let problems = problems(report)
        if !problems.isEmpty { text += "\n" }
        for problem in problems { text += "! \(PrintableText.escaped(problem))\n" }
        return text
    }

    private static func head(_ report: JSONValue) -> String {
        var table = Table("", "")
        let keyring = report["keyring"]
        let state = report["state"]
        var phase = state?["phase"]?.string ?? "unknown"
        if let reason = state?["reason"]?.string { phase += ": \(reason)" }
        table.add("keyring", "\(keyring?["name"]?.string ?? "?") in \(keyring?["directory"]?.string ?? "?")")
        table.add("state", phase)
        if let hint = state?["hint"]?.string { table.add("", "-> \(hint)") }
        if let keyID = report["keyID"]?.string { table.add("key_id", keyID) }
        if let pid = report["pid"]?.integer {
            table.add("plugin", "pid \(pid), up \(age(report["uptimeSeconds"]) ?? "?"), \(served(report))")
        } else {
            table.add("plugin", "not running: this is what the files say")
        }
        // The header is of no use here.
        return String(table.text.drop { $0 != "\n" }.dropFirst())
    }

    private static func served(_ report: JSONValue) -> String {
        let requests = report["requests"]
        let failures = (requests?["failures"]?.members ?? []).reduce(0) { $0 + ($1.value.integer ?? 0) }
        return "\(requests?["encrypts"]?.integer ?? 0) encrypted, \(requests?["decrypts"]?.integer ?? 0) decrypted, "
            + "\(failures) refused, \(report["server"]?["connections"]?.integer ?? 0) connections"
    }

    private static func section(_ title: String, _ table: Table) -> String {
        table.rows.isEmpty ? "" : "\n\(title)\n\(table.text)"
    }

    private static func keks(_ report: JSONValue) -> Table {
        var table = Table("GENERATION", "KEK", "ROLE", "IN MEMORY", "OPENED BY", "MS")
        for kek in report["keks"]?.items ?? [] {
            let isOpen: Bool? = report["running"] == .bool(true) ? kek["open"] == .bool(true) : nil
            table.add(
                kek["generation"]?.integer.map(String.init) ?? "", kek["kekID"]?.string ?? "",
                word(kek["role"]?.string), isOpen.map { $0 ? "yes" : "no" } ?? "-", kek["openedBy"]?.string ?? "",
                kek["openingMilliseconds"]?.double.map { Decimal.format($0, 1) } ?? "")
        }
        return table
    }

    private static func seals(_ report: JSONValue) -> Table {
        var table = Table("GENERATION", "BACKEND", "RECIPIENT", "STATE", "VERIFIED")
        for kek in report["keks"]?.items ?? [] {
            for seal in kek["seals"]?.items ?? [] {
                table.add(
                    kek["generation"]?.integer.map(String.init) ?? "", seal["backend"]?.string ?? "",
                    seal["recipient"]?.string ?? seal["kind"]?.string ?? "",
                    word(seal["state"]?.string) + (seal["outdated"] == nil ? "" : ", outdated")
                        + (seal["local"] == .bool(true) ? ", this node's" : ""), verified(seal))
            }
        }
        return table
    }

    /// When and by what it was opened.
    private static func verified(_ seal: JSONValue) -> String {
        guard let age = age(seal["verifiedSecondsAgo"]) else { return "" }
        return "\(age) ago" + (seal["verifiedBy"]?.string.map { " by \($0)" } ?? "")
    }

    private static func backends(_ report: JSONValue) -> Table {
        var table = Table("NAME", "KIND", "STATE", "ANSWERED", "MS", "LAST ERROR")
        for backend in report["backends"]?.items ?? [] {
            var error = backend["lastError"]?.string ?? ""
            if let since = age(backend["lastErrorSecondsAgo"]) { error += " (\(since) ago)" }
            table.add(
                backend["name"]?.string ?? "", backend["kind"]?.string ?? "",
                word(backend["state"]?.string) + nextTry(backend)
                    + (backend["unsealOnly"] == .bool(true) ? ", unseals only" : ""),
                age(backend["lastSuccessSecondsAgo"]).map { "\($0) ago" } ?? "never",
                backend["lastLatencyMilliseconds"]?.double.map { Decimal.format($0, 1) } ?? "", error)
        }
        return table
    }

    /// Of a backend whose circuit breaker is open.
    private static func nextTry(_ backend: JSONValue) -> String {
        if backend["beingTried"] == .bool(true) { return ", being tried" }
        guard let milliseconds = backend["nextTryMilliseconds"]?.double else { return "" }
        return ", next try in \(Int64((milliseconds / 1000).rounded(.up))) s"
    }

    private static func problems(_ report: JSONValue) -> [String] {
        var problems = (report["warnings"]?.items ?? []).compactMap(\.string)
        for file in report["damagedFiles"]?.items ?? [] {
            problems.append("\(file["file"]?.string ?? "?") is left alone: \(file["reason"]?.string ?? "?")")
        }
        for kek in report["keks"]?.items ?? [] {
            let name = "KEK \(kek["kekID"]?.string ?? "?")"
            for seal in kek["seals"]?.items ?? [] {
                let place = seal["backend"]?.string ?? seal["recipient"]?.string ?? "?"
                if let problem = seal["problem"]?.string {
                    problems.append("the seal of \(name) to \(place): \(problem)")
                }
                if let outdated = seal["outdated"]?.string {
                    problems.append("the seal of \(name) to \(place) is outdated: \(outdated)")
                }
            }
            guard let problem = kek["problem"]?.string else { continue }
            problems.append("\(name): \(problem)" + hint(kek["hint"]))
        }
        for backend in report["backends"]?.items ?? [] where backend["state"]?.string == "failing" {
            problems.append(
                "backend \(backend["name"]?.string ?? "?"): \(backend["lastError"]?.string ?? "?")"
                    + hint(backend["lastErrorHint"]))
        }
        return problems + StatusPolicies.problems(report)
    }

    private static func hint(_ value: JSONValue?) -> String { value?.string.map { "; \($0)" } ?? "" }

    /// `decryptsOnly` as "decrypts only".
    private static func word(_ name: String?) -> String {
        (name ?? "").reduce(into: "") { text, character in
            text += character.isUppercase ? " " + character.lowercased() : String(character)
        }
    }

    /// In the largest unit of which there are at least two.
    private static func age(_ value: JSONValue?) -> String? {
        guard let seconds = value?.integer else { return nil }
        for (unit, length) in [("d", Int64(86400)), ("h", 3600), ("m", 60)] where seconds >= 2 * length {
            return "\(seconds / length) \(unit)"
        }
        return "\(seconds) s"
    }
}
