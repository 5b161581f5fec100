/// Where a Vault server is: scheme, host and port.
struct VaultAddress: Sendable, Equatable {
    /// In lower case; an IPv6 address without its brackets.
    let host: String
    let port: Int
    let isEncrypted: Bool

    /// - Throws: `configuration` unless it is `https://host[:port]`, or `http://` with a loopback address.
    init(_ text: String) throws(VaultError) {
        func error(_ reason: String, _ hint: String) -> VaultError {
            VaultError(.configuration, "address \(ServerText.shorten(text)): \(reason)", hint: hint)
        }
        let example = "such as https://vault.example:8200"
        let lower = text.lowercased()
        isEncrypted = lower.hasPrefix("https://")
        guard isEncrypted || lower.hasPrefix("http://") else { throw error("is no https URL", example) }
        var rest = lower.dropFirst(isEncrypted ? 8 : 7)
        if rest.hasSuffix("/") { rest.removeLast() }
        guard !rest.contains("@") else {
            throw error("has a user name", "credentials do not belong into the configuration")
        }
        let hostText: Substring
        let portText: Substring?
        if rest.hasPrefix("["), let bracket = rest.firstIndex(of: "]") {
            hostText = rest[rest.index(after: rest.startIndex)..<bracket]
            let after = rest[rest.index(after: bracket)...]
            guard after.isEmpty || after.hasPrefix(":") else { throw error("is no https URL", example) }
            portText = after.isEmpty ? nil : after.dropFirst()
            guard VaultAddress.consists(hostText, of: "0123456789abcdef:.") else {
                throw error("is no address", example)
            }
        } else {
            let parts = rest.split(separator: ":", omittingEmptySubsequences: false)
            guard 1...2 ~= parts.count else { throw error("is no https URL", example) }
            hostText = parts[0]
            portText = parts.count == 2 ? parts[1] : nil
            guard VaultAddress.consists(hostText, of: "0123456789abcdefghijklmnopqrstuvwxyz-._") else {
                throw error("has no host, or more than a host and a port", example)
            }
        }
        guard let port = portText.map({ Int($0) }) ?? (isEncrypted ? 443 : 80), 1...65535 ~= port else {
            throw error("has no good port", example)
        }
        host = String(hostText)
        self.port = port
        guard isEncrypted || isLoopback else {
            throw error("would send tokens and keys in clear", "use https; http goes to this machine only")
        }
    }

    private static func consists(_ text: Substring, of characters: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 253 && text.allSatisfy(characters.contains)
    }

    /// Whether it is this machine, by its number; a name might lead elsewhere.
    var isLoopback: Bool {
        if host == "::1" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
        return parts.count == 4 && parts[0] == 127 && !parts.contains(nil)
    }

    /// Whether the host is a number and no name.
    var isNumeric: Bool {
        host.contains(":")
            || host.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { UInt8($0) != nil }
    }

    /// `https://host:port`, with the port always there.
    var url: String { url(host: host) }

    /// The same with another host's name in it.
    func url(host: String) -> String {
        (isEncrypted ? "https://" : "http://") + (host.contains(":") ? "[\(host)]" : host) + ":\(port)"
    }

    /// Whether a URL leads to this server. `url` without a port means the scheme's.
    func isOrigin(of url: String) -> Bool {
        guard let path = url.range(of: "://"), let slash = url[path.upperBound...].firstIndex(of: "/"),
            let other = try? VaultAddress(String(url[..<slash]))
        else { return false }
        return other == self
    }
}

extension String {
    /// The first place of a short text.
    fileprivate func range(of text: String) -> Range<Index>? { firstRange(of: text) }
}
