/// The sections `metrics` and `log`.
enum OperationsSchema {
    private static let example = "such as \"127.0.0.1:9441\", or the path of a Unix socket"

    /// Nil when the section is not there.
    static func metrics(_ top: Section, _ server: PluginConfiguration.Server) -> PluginConfiguration.Metrics? {
        guard !top.present(["metrics"]).isEmpty, let section = top.section("metrics") else { return nil }
        let text = section.string("listen", required: example)
        section.finish()
        guard let text else { return nil }
        switch address(text.value) {
        case .success(let listen):
            if case .unix(let path) = listen, path == server.socket.path || path == server.control.path {
                section.report(
                    "listen", line: text.line, "is a socket of section server too", hint: "each needs one of its own")
            }
            return PluginConfiguration.Metrics(listen: listen)
        case .failure(let refusal):
            section.report(
                "listen", line: text.line, "\(Quoted.text(text.value)) \(refusal.reason)", hint: refusal.hint)
            return nil
        }
    }

    static func log(_ top: Section) -> PluginConfiguration.Log {
        guard let section = top.section("log") else { return PluginConfiguration.Log() }
        let log = PluginConfiguration.Log(
            format: choice("format", section) ?? .text, level: choice("level", section) ?? .info)
        section.finish()
        return log
    }

    private static func choice<Choice: RawRepresentable & CaseIterable>(_ key: String, _ section: Section) -> Choice?
    where Choice.RawValue == String {
        guard let word = section.string(key) else { return nil }
        if let choice = Choice(rawValue: word.value) { return choice }
        section.report(
            key, line: word.line, "\(Quoted.text(word.value)) is not known",
            hint: "one of \(Choice.allCases.map(\.rawValue).joined(separator: ", "))")
        return nil
    }

    // MARK: Addresses

    private struct Refusal: Error {
        let reason: String
        let hint: String
    }

    private static func address(_ text: String) -> Result<PluginConfiguration.Metrics.Listen, Refusal> {
        if text.hasPrefix("/") {
            if text.utf8.count > ServerSchema.maximumPathSize {
                return .failure(
                    Refusal(
                        reason: "is longer than \(ServerSchema.maximumPathSize) bytes",
                        hint: "Linux allows no more for a socket"))
            }
            if let problem = Section.problem(ofPath: text) {
                return .failure(Refusal(reason: problem, hint: "write the whole path"))
            }
            return .success(.unix(text))
        }
        guard let colon = text.lastIndex(of: ":") else {
            return .failure(Refusal(reason: "has no port", hint: example))
        }
        let host = text[..<colon]
        guard let port = number(text[text.index(after: colon)...], 1...65535).map(UInt16.init) else {
            return .failure(Refusal(reason: "has no port from 1 to 65535", hint: example))
        }
        if host == "[::1]" { return .success(.ipv6Loopback(port: port)) }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false).map { number($0, 0...255) }
        if parts.count == 4, !parts.contains(nil) {
            let bits = parts.reduce(UInt32(0)) { $0 << 8 | UInt32($1 ?? 0) }
            if bits >> 24 == 127 { return .success(.ipv4(bits, port: port)) }
        } else if host == "localhost" {
            return .failure(Refusal(reason: "has a name, and names are not looked up", hint: "write 127.0.0.1"))
        }
        return .failure(
            Refusal(
                reason: "is not a loopback address",
                hint: "metrics ask nobody who they are: use 127.0.0.1 or [::1], and a proxy that does"))
    }

    /// Digits without a sign or leading zeros, which some read as octal.
    private static func number(_ text: Substring, _ range: ClosedRange<Int>) -> Int? {
        guard (1...5).contains(text.utf8.count), text.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }),
            text == "0" || !text.hasPrefix("0"), let value = Int(text), range.contains(value)
        else { return nil }
        return value
    }
}
