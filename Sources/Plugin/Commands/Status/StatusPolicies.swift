/// What the report of `trousseau status` says of policies, for people.
enum StatusPolicies {
    /// A line for each seal of the active KEK that a device which measures the machine opens.
    static func table(_ report: JSONValue) -> Table {
        var table = Table("BACKEND", "RECIPIENT", "POLICY", "NOW")
        for policy in report["policies"]?.items ?? [] {
            table.add(
                policy["backend"]?.string ?? "", policy["recipient"]?.string ?? "",
                text(policy) + (policy["local"] == .bool(true) ? ", this node's" : ""), now(policy))
        }
        return table
    }

    /// What keeps all seals of a backend closed. Of several that are bound to a state one has to open: the others may be
    /// for a state that is past or to come.
    static func problems(_ report: JSONValue) -> [String] {
        let policies = report["policies"]?.items ?? []
        var problems: [String] = []
        for policy in policies where policy["satisfied"] != .bool(true) {
            let backend = policy["backend"]?.string ?? "?"
            let others = policies.filter { $0["backend"]?.string == backend && $0["local"] == policy["local"] }
            guard !others.contains(where: { $0["satisfied"] == .bool(true) }), let problem = policy["problem"]?.string
            else { continue }
            let hint = policy["hint"]?.string.map { "; \($0)" } ?? ""
            let line =
                policy["satisfied"] == .bool(false)
                ? "backend \(backend): the policy \(text(policy)) is not satisfied now: \(problem)\(hint)"
                : "backend \(backend): whether the policy \(text(policy)) is satisfied is not known: \(problem)\(hint)"
            if !problems.contains(line) { problems.append(line) }
        }
        return problems
    }

    /// `literal sha256:7+11`.
    private static func text(_ policy: JSONValue) -> String {
        let kind = policy["kind"]?.string ?? "unknown"
        guard let bank = policy["bank"]?.string else { return kind }
        return "\(kind) \(bank):\(list(policy["pcrs"]))"
    }

    private static func now(_ policy: JSONValue) -> String {
        switch policy["satisfied"] {
        case .bool(true)?: return policy["kind"]?.string == "none" ? "opens whatever was booted" : "satisfied"
        case .bool(false)?:
            let differing = list(policy["differing"])
            return differing.isEmpty ? "not satisfied" : "not satisfied: PCR \(differing) differs"
        default: return "not known"
        }
    }

    private static func list(_ numbers: JSONValue?) -> String {
        (numbers?.items ?? []).compactMap(\.integer).map(String.init).joined(separator: "+")
    }
}
