/// Users and groups: by number, or by a name in /etc/passwd or /etc/group.
extension ServerSchema {
    enum AccountKind {
        case user, group

        var word: String { self == .user ? "user" : "group" }
        var file: String { self == .user ? "/etc/passwd" : "/etc/group" }
    }

    /// What the kernel shows for users that a namespace does not map.
    static let unmapped: UInt32 = 65534

    func account(_ key: String, of kind: AccountKind, _ section: Section) -> UInt32? {
        section.node(key).flatMap { resolve($0, key: section.join(key), kind, section.diagnosis) }
    }

    /// Nil when the key is not there.
    func accountList(_ key: String, of kind: AccountKind, _ section: Section) -> [UInt32]? {
        guard let items = section.list(key) else { return nil }
        var ids: [UInt32] = []
        for item in items {
            guard let id = resolve(item.value, key: item.key, kind, section.diagnosis) else { continue }
            if id == ServerSchema.unmapped {
                section.diagnosis.add(
                    item.line, item.key, "65534 is every \(kind.word) that a namespace does not map",
                    hint: "map kube-apiserver's \(kind.word) into this namespace and allow that one")
            } else if ids.contains(id) {
                section.diagnosis.add(item.line, item.key, "\(kind.word) \(id) is in the list twice")
            } else {
                ids.append(id)
            }
        }
        if items.isEmpty && kind == .user && key == "allowUsers" { return [] }
        // A list of which nothing is left was reported; the default keeps "nobody may connect" from being said too.
        return ids.isEmpty && !items.isEmpty ? [0] : ids
    }

    private func resolve(_ node: YAMLNode, key: String, _ kind: AccountKind, _ diagnosis: Diagnosis) -> UInt32? {
        guard case .scalar(let text, let plain) = node.content else {
            Section.reportType(of: node, expected: "a \(kind.word)'s number or name", key, diagnosis)
            return nil
        }
        switch YAMLNode.meaning(of: text, plain: plain) {
        case .integer(let number):
            // The highest number means "no change" to chown(2).
            if let id = UInt32(exactly: number), id != UInt32.max { return id }
            diagnosis.add(node.line, key, "\(number) is no \(kind.word)'s number", hint: "between 0 and 4294967294")
        case .text(let name):
            let id = kind == .user ? accounts.user(name) : accounts.group(name)
            if let id { return id }
            diagnosis.add(
                node.line, key, "no \(kind.word) \(Quoted.text(name)) in \(kind.file)", hint: "write its number instead"
            )
        case .null, .bool, .number:
            Section.reportType(of: node, expected: "a \(kind.word)'s number or name", key, diagnosis)
        }
        return nil
    }
}
