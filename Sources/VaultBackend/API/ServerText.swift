/// Words of a server, made safe to be kept in a log: they may repeat what was sent, and that may be a token.
enum ServerText {
    static let limit = 160
    /// Words of Vault's own are shorter; its tokens, secret IDs and 32 bytes in base64 are longer.
    static let longestWord = 20

    /// What Vault says under `errors`, in one line; nil when there is no such list, so that it is not Vault who answers.
    static func errors(_ document: JSONDocument?) -> String? {
        guard let list = document?.root["errors"], list.isArray else { return nil }
        let errors = list.elements
        return shorten(errors.prefix(4).compactMap(\.text).joined(separator: "; "))
    }

    /// Scheme, host and port of where a redirect leads to: no user, no path and no query.
    static func origin(_ url: String) -> String {
        guard let scheme = url.firstRange(of: "://"),
            ["https", "http"].contains(url[..<scheme.lowerBound].lowercased())
        else { return "what is no http URL" }
        let rest = url[scheme.upperBound...].prefix { !"/?#".contains($0) }
        let place = (rest.split(separator: "@", omittingEmptySubsequences: false).last ?? "").lowercased()
        let isPlace = place.unicodeScalars.allSatisfy { scalar in
            switch scalar {
            case "a"..."z", "0"..."9", "-", "_", ".", ":", "[", "]": true
            default: false
            }
        }
        guard isPlace, 1...limit ~= place.utf8.count else { return "what is no http URL" }
        return url[..<scheme.lowerBound].lowercased() + "://" + place
    }

    /// One line of printable ASCII, cut to 160 characters, with every long run of what tokens are made of left out.
    static func shorten(_ text: String) -> String {
        var result = ""
        var word = ""
        var isSpace = true
        func flush() {
            result += word.utf8.count > longestWord ? "[…]" : word
            word = ""
        }
        for scalar in text.unicodeScalars {
            if isTokenCharacter(scalar) {
                word.unicodeScalars.append(scalar)
                isSpace = false
                continue
            }
            flush()
            guard scalar.value > 0x20, scalar.value < 0x7f else {
                if !isSpace { result += scalar.value <= 0x20 ? " " : "?" }
                isSpace = scalar.value <= 0x20
                continue
            }
            result.unicodeScalars.append(scalar)
            isSpace = false
        }
        flush()
        if result.hasSuffix(" ") { result.removeLast() }
        return result.count > limit ? String(result.prefix(limit)) + "…" : result
    }

    private static func isTokenCharacter(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "a"..."z", "A"..."Z", "0"..."9", "+", "/", "=", "_", "-": true
        default: false
        }
    }
}
