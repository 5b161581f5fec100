internal import Crypto

/// The report of `trousseau reseal`, for people; made of the JSON, as that of `status` is.
enum ResealText {
    static func render(_ report: JSONValue, _ warnings: [String]) -> String {
        var table = Table("GENERATION", "BACKEND", "RECIPIENT", "DONE", "OPENED", "WHY")
        var hints: [String] = []
        for seal in report["seals"]?.items ?? [] {
            table.add(
                seal["generation"]?.integer.map(String.init) ?? "", seal["backend"]?.string ?? "-",
                seal["recipient"]?.string ?? "-",
                (seal["outcome"]?.string ?? "") + (seal["local"] == .bool(true) ? ", this node's" : ""),
                seal["verified"] == .bool(true) ? "yes" : "no", seal["note"]?.string ?? "")
            guard let hint = seal["hint"]?.string else { continue }
            let line = "\(seal["backend"]?.string ?? "generation \(seal["generation"]?.integer ?? 0)"): \(hint)"
            if !hints.contains(line) { hints.append(line) }
        }
        var text = table.text + "\n"
        let (old, new) = (report["oldKeyID"]?.string, report["keyID"]?.string)
        if old == new {
            text += "key_id: \(PrintableText.escaped(new ?? "none")), as before\n"
        } else {
            text += """
                key_id before: \(PrintableText.escaped(old ?? "none"))
                key_id now:    \(PrintableText.escaped(new ?? "none"))

                kube-apiserver picks it up at its next Status, and etcd carries the new seals from the next write on.

                """
        }
        for line in hints + warnings { text += "! \(PrintableText.escaped(line))\n" }
        return text
    }
}
