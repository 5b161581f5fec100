/// A value with the place it came from, for what can only be checked when everything was read.
struct Located<Value> {
    let value: Value
    let line: Int
    let key: String
}

/// Reads one mapping. Every key that is asked for is known; `finish` reports the others.
final class Section {
    let path: String
    let line: Int
    let diagnosis: Diagnosis
    private let entries: [YAMLNode.Entry]
    private var known: [String] = []
    private var refused: [String] = []

    /// Nil, and reported, unless the node is a mapping.
    init?(_ node: YAMLNode, path: String, diagnosis: Diagnosis) {
        guard case .mapping(let entries) = node.content else {
            Section.reportType(of: node, expected: "a mapping", path, diagnosis)
            return nil
        }
        self.entries = entries
        self.path = path
        self.line = node.line
        self.diagnosis = diagnosis
    }

    private init(empty path: String, line: Int, diagnosis: Diagnosis) {
        self.entries = []
        self.path = path
        self.line = line
        self.diagnosis = diagnosis
    }

    /// Whether it has no key at all.
    var isEmpty: Bool { entries.isEmpty }

    /// The node of a key; nil when it is not there, which is reported if it is required.
    func node(_ key: String, required: String? = nil) -> YAMLNode? {
        know([key])
        if let entry = entries.first(where: { $0.key == key }) { return entry.value }
        if let hint = required { report(key, line: line, "is missing", hint: hint) }
        return nil
    }

    /// A section below this one. An optional one that is not there reads as an empty one; nil only after a report.
    func section(_ key: String, required: String? = nil) -> Section? {
        guard let node = node(key, required: required) else {
            return required == nil ? Section(empty: join(key), line: line, diagnosis: diagnosis) : nil
        }
        return Section(node, path: join(key), diagnosis: diagnosis)
    }

    /// The items of a list; nil when it is not there or, after a report, not a list.
    func list(_ key: String, required: String? = nil) -> [Located<YAMLNode>]? {
        guard let node = node(key, required: required) else { return nil }
        guard case .sequence(let items) = node.content else {
            Section.reportType(of: node, expected: "a list", join(key), diagnosis)
            return nil
        }
        return items.enumerated().map { Located(value: $1, line: $1.line, key: "\(join(key))[\($0)]") }
    }

    func report(_ key: String, line: Int, _ reason: String, hint: String? = nil) {
        diagnosis.add(line, join(key), reason, hint: hint)
    }

    func join(_ key: String) -> String { key.isEmpty ? path : KeyPath.join(path, key) }

    /// The line of a key, or of the section when the key is not there.
    func line(of key: String) -> Int { entries.first { $0.key == key }?.line ?? line }

    private func know(_ keys: [String]) {
        for key in keys where !known.contains(key) { known.append(key) }
    }

    /// Refuses keys that a later version will have.
    func refuseLater(_ keys: [String]) {
        for key in keys { refuse("is not in this version", hint: "leave it away") { $0 == key } }
    }

    /// Which of the keys are there, with the lines they are on. Makes them known.
    func present(_ keys: [String]) -> [Located<String>] {
        know(keys)
        return entries.filter { keys.contains($0.key) }.map { Located(value: $0.key, line: $0.line, key: join($0.key)) }
    }

    /// Refuses keys that are here for a reason of their own, with that reason.
    func refuse(_ reason: String, hint: String, where matches: (String) -> Bool) {
        for entry in entries where matches(entry.key) {
            refused.append(entry.key)
            report(entry.key, line: entry.line, reason, hint: hint)
        }
    }

    /// Reports every key that nothing asked for.
    func finish() {
        for entry in entries where !known.contains(entry.key) && !refused.contains(entry.key) {
            if entry.key == "<<" {
                report(entry.key, line: entry.line, "merge keys are not allowed", hint: "write the keys out")
                continue
            }
            let hint: String
            if let nearest = Suggestion.nearest(to: entry.key, in: known) {
                hint = "did you mean \"\(nearest)\"?"
            } else if let home = KnownKeys.path(of: entry.key) {
                hint = "it belongs to \(home)"
            } else {
                hint = "known here: \(known.joined(separator: ", "))"
            }
            report(entry.key, line: entry.line, "unknown key", hint: hint)
        }
    }

    static func reportType(
        of node: YAMLNode, expected: String, _ key: String, _ diagnosis: Diagnosis, hint: String? = nil
    ) {
        if case .refused = node.content { return }
        let found = node.kindDescription
        diagnosis.add(
            node.line, key, found == "nothing" ? "has no value" : "expected \(expected), found \(found)", hint: hint)
    }
}

/// Where a key belongs that was written in the wrong section.
enum KnownKeys {
    private static let paths = [
        "apiVersion", "kind", "keyring.name", "keyring.directory", "keyring.minimumSeals", "keyring.trustedKeyIDs",
        "keyring.openDeadline",
        "server.allowUnlockedMemory", "server.socket", "server.control", "server.socket.path", "server.socket.mode",
        "server.socket.owner", "server.socket.group", "server.socket.allowUsers", "server.socket.allowGroups",
        "server.socket.allowAbstract", "backends", "backends[].unsealOnly", "backends[].deadline",
        "backends[].hedgeAfter",
        "backends[].pkcs11",
        "backends[].pkcs11.module", "backends[].pkcs11.key", "backends[].pkcs11.pinSource",
        "backends[].pkcs11.maxSessions", "backends[].pkcs11.allowUnsafeKey", "backends[].pkcs11.allowPINCountLow",
        "backends[].pkcs11.allowSHA1OAEP", "backends[].tpm",
        "backends[].tpm.device", "backends[].tpm.pinSource", "backends[].tpm.idleClose", "backends[].tpm.policy",
        "backends[].tpm.policy.signed",
        "backends[].tpm.policy.pcrs", "backends[].tpm.policy.signed.pcrs", "backends[].tpm.policy.signed.publicKey",
        "backends[].tpm.policy.signed.signatures", "backends[].vault", "backends[].vault.address",
        "backends[].vault.otherAddresses", "backends[].vault.namespace", "backends[].vault.mount",
        "backends[].vault.tokenFile", "backends[].vault.appRole", "backends[].vault.kubernetes",
        "backends[].vault.jwt", "backends[].vault.certificate", "backends[].vault.tls", "backends[].vault.proxy",
        "backends[].vault.appRole.roleIDFile", "backends[].vault.appRole.secretIDFile",
        "backends[].vault.appRole.secretIDWrapped", "backends[].vault.tls.caFile",
        "backends[].vault.tls.certificateFile", "backends[].vault.tls.keyFile", "backends[].vault.tls.serverName",
        "backends[].recovery", "backends[].recovery.certificate",
        "metrics", "metrics.listen", "log", "log.format", "log.level",
    ]

    /// The sections that have a key of this name: `keyring` for `directory`, two of them for `pinSource`.
    static func path(of key: String) -> String? {
        let sections = paths.filter { $0 == key || $0.hasSuffix("." + key) }.map { path in
            let section = path.split(separator: ".").dropLast().joined(separator: ".")
            return section.isEmpty ? "the top level" : section
        }
        return sections.isEmpty ? nil : sections.joined(separator: " or ")
    }
}
