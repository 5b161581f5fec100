internal import Glibc

/// Names that mean something only inside a Kubernetes cluster.
enum ClusterNames {
    /// Why a host looks as if the cluster had to run before it can be reached; nil when it does not.
    ///
    /// - Parameter resolver: the text of resolv.conf(5).
    static func suspicion(_ host: String, resolver: String) -> String? {
        let labels = host.split(separator: ".").map(String.init)
        if labels.count >= 2, labels.suffix(2) == ["cluster", "local"] || labels.contains("svc") {
            return "is a Service of a cluster"
        }
        let usesClusterDNS = resolver.split(separator: "\n").contains { line in
            let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" })
            return words.first == "search" && words.contains { $0.hasPrefix("svc.") || $0.contains(".svc.") }
        }
        if usesClusterDNS { return "is looked up by the cluster's own DNS" }
        return nil
    }

    /// This machine's /etc/resolv.conf, or nothing.
    static func resolver() -> String {
        let file = open("/etc/resolv.conf", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return "" }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 16384)
        let count = read(file, &bytes, bytes.count)
        return String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self)
    }
}
