/// Text of others, made safe for a terminal and a log.
public enum Quoted {
    /// In double quotes, with control characters, quotes and whatever is not ASCII escaped, cut after 64 characters.
    public static func text(_ text: String) -> String {
        var result = "\""
        for (index, scalar) in text.unicodeScalars.enumerated() {
            if index == 64 {
                result += "…"
                break
            }
            result += scalar.escaped(asASCII: true)
        }
        return result + "\""
    }
}

/// Finds what was probably meant.
public enum Suggestion {
    /// The candidate that is nearest to `word` (edits and swaps of neighbours, at most a third of its letters), if any.
    public static func nearest(to word: String, in candidates: [String]) -> String? {
        let word = Array(word.lowercased().utf8)
        guard !word.isEmpty, word.count <= 64 else { return nil }
        let limit = max(1, word.count / 3)
        var best: (distance: Int, candidate: String)?
        for candidate in candidates {
            let distance = distance(word, Array(candidate.lowercased().utf8))
            if distance <= limit && distance < best?.distance ?? Int.max { best = (distance, candidate) }
        }
        return best?.candidate
    }

    /// The optimal string alignment distance.
    private static func distance(_ a: [UInt8], _ b: [UInt8]) -> Int {
        var rows = [Array(0...b.count)]
        for i in 0..<a.count {
            var row = [i + 1]
            for j in 0..<b.count {
                var cost = min(rows[i][j + 1] + 1, row[j] + 1, rows[i][j] + (a[i] == b[j] ? 0 : 1))
                if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] { cost = min(cost, rows[i - 1][j - 1] + 1) }
                row.append(cost)
            }
            rows.append(row)
        }
        return rows[a.count][b.count]
    }
}
