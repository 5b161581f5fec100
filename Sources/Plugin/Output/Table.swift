internal import Crypto

/// Rows under a header, in columns as wide as their widest cell and two spaces apart.
struct Table {
    let header: [String]
    private(set) var rows: [[String]] = []

    init(_ header: String...) {
        self.header = header
    }

    mutating func add(_ cells: String...) { rows.append(cells) }

    /// Each row in a line, without spaces at its end; empty when there are no rows.
    var text: String {
        guard !rows.isEmpty else { return "" }
        let lines = ([header] + rows).map { $0.map(PrintableText.escaped) }
        let widths = header.indices.map { column in lines.map { $0[column].unicodeScalars.count }.max() ?? 0 }
        return lines.map { line in
            var text = ""
            for (column, cell) in line.enumerated() {
                text += cell
                let isLast = line[(column + 1)...].allSatisfy(\.isEmpty)
                if isLast { break }
                text += String(repeating: " ", count: widths[column] - cell.unicodeScalars.count + 2)
            }
            return text + "\n"
        }.joined()
    }
}
