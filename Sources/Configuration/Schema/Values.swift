/// The types of values.
extension Section {
    func string(_ key: String, required: String? = nil) -> Located<String>? {
        guard let node = node(key, required: required) else { return nil }
        return Section.string(node, key: join(key), diagnosis: diagnosis)
    }

    static func string(_ node: YAMLNode, key: String, diagnosis: Diagnosis) -> Located<String>? {
        guard case .scalar(let text, let plain) = node.content else {
            reportType(of: node, expected: "text", key, diagnosis)
            return nil
        }
        guard case .text(let value) = YAMLNode.meaning(of: text, plain: plain) else {
            reportType(of: node, expected: "text", key, diagnosis, hint: text.isEmpty ? nil : "put it in double quotes")
            return nil
        }
        guard !value.isEmpty else {
            diagnosis.add(node.line, key, "is empty")
            return nil
        }
        guard value.utf8.count <= 4096 else {
            diagnosis.add(node.line, key, "is longer than 4096 bytes")
            return nil
        }
        guard !value.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else {
            diagnosis.add(node.line, key, "contains a control character")
            return nil
        }
        return Located(value: value, line: node.line, key: key)
    }

    func bool(_ key: String, default fallback: Bool) -> Bool {
        guard let node = node(key) else { return fallback }
        if case .scalar(let text, let plain) = node.content,
            case .bool(let value) = YAMLNode.meaning(of: text, plain: plain)
        {
            return value
        }
        Section.reportType(of: node, expected: "true or false", join(key), diagnosis, hint: "write true or false")
        return fallback
    }

    func integer(_ key: String, in range: ClosedRange<Int>) -> Located<Int>? {
        guard let node = node(key) else { return nil }
        guard case .scalar(let text, let plain) = node.content,
            case .integer(let value) = YAMLNode.meaning(of: text, plain: plain)
        else {
            Section.reportType(of: node, expected: "a whole number", join(key), diagnosis)
            return nil
        }
        guard range.contains(value) else {
            report(key, line: node.line, "\(value) is not between \(range.lowerBound) and \(range.upperBound)")
            return nil
        }
        return Located(value: value, line: node.line, key: join(key))
    }

    func duration(_ key: String, in range: ClosedRange<Duration>) -> Located<Duration>? {
        guard let node = node(key) else { return nil }
        let hint = "write a whole number and a unit (ms, s, m, h), such as 10s"
        guard case .scalar(let text, let plain) = node.content,
            case .text(let value) = YAMLNode.meaning(of: text, plain: plain)
        else {
            Section.reportType(of: node, expected: "a duration", join(key), diagnosis, hint: hint)
            return nil
        }
        guard let duration = DurationText.parse(value) else {
            report(key, line: node.line, "\(Quoted.text(value)) is not a duration", hint: hint)
            return nil
        }
        guard range.contains(duration) else {
            let (low, high) = (DurationText.format(range.lowerBound), DurationText.format(range.upperBound))
            report(key, line: node.line, "\(value) is not between \(low) and \(high)")
            return nil
        }
        return Located(value: duration, line: node.line, key: join(key))
    }

    /// A name that is safe in key_ids, file names and metrics.
    func label(_ key: String, required hint: String) -> Located<String>? {
        guard let label = string(key, required: hint) else { return nil }
        let bytes = Array(label.value.utf8)
        let isAlphanumeric = { (byte: UInt8) in
            byte >= UInt8(ascii: "a") && byte <= UInt8(ascii: "z")
                || byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
        }
        let isLabel =
            bytes.count <= 63 && bytes.allSatisfy { isAlphanumeric($0) || $0 == UInt8(ascii: "-") }
            && bytes.first.map(isAlphanumeric) == true && bytes.last.map(isAlphanumeric) == true
        guard isLabel else {
            report(
                key, line: label.line, "\(Quoted.text(label.value)) is not an RFC 1123 label",
                hint: "use at most 63 of a-z, 0-9 and -, with a letter or digit at both ends")
            return nil
        }
        return label
    }

    /// key_ids of the keyring `name`, in their one spelling.
    func keyIDs(_ key: String, of name: String?) -> [String] {
        let items = list(key) ?? []
        guard items.count <= 64 else {
            report(key, line: line(of: key), "has more than 64 items")
            return []
        }
        return items.compactMap { item in
            guard let text = Section.string(item.value, key: item.key, diagnosis: diagnosis) else { return nil }
            let isBase32 = { (part: Substring) in
                part.utf8.allSatisfy {
                    UInt8(ascii: "a")...UInt8(ascii: "z") ~= $0 || UInt8(ascii: "2")...UInt8(ascii: "7") ~= $0
                }
            }
            let parts = text.value.split(separator: "/", omittingEmptySubsequences: false)
            guard parts.count == 4, UInt64(parts[1]).map({ $0 > 0 && String($0) == parts[1] }) == true,
                parts[2].utf8.count == 16, isBase32(parts[2]), parts[3].utf8.count == 8, isBase32(parts[3])
            else {
                diagnosis.add(
                    item.line, item.key, "\(Quoted.text(text.value)) is not a key_id",
                    hint: "copy it from what init printed, such as prod/1/aaaabbbbccccdddd/eeeeffff")
                return nil
            }
            guard name.map({ $0 == parts[0] }) != false else {
                diagnosis.add(
                    item.line, item.key, "is a key_id of the keyring \(Quoted.text(String(parts[0])))",
                    hint: "its first part has to be keyring.name")
                return nil
            }
            return text.value
        }
    }

    /// An absolute path that means one file, without `..` or doubled slashes. With `isPrivate` a refused value is not
    /// shown: someone may have written a PIN where its file is meant.
    func path(_ key: String, required: String? = nil, isPrivate: Bool = false) -> Located<String>? {
        guard let path = string(key, required: required) else { return nil }
        guard let problem = Section.problem(ofPath: path.value) else { return path }
        let shown = isPrivate ? problem : "\(Quoted.text(path.value)) \(problem)"
        report(key, line: path.line, shown, hint: "write the whole path, from / on")
        return nil
    }

    static func problem(ofPath path: String) -> String? {
        guard path.hasPrefix("/") else { return "is not an absolute path" }
        let parts = path.utf8.dropFirst().split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
            .map { String(decoding: Array($0), as: UTF8.self) }
        if parts.contains("..") || parts.contains(".") { return "has a . or .. in it" }
        if parts.contains("") { return path == "/" ? "is the root folder" : "has an empty part (// or / at its end)" }
        return nil
    }
}
