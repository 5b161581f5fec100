import TestSupport

@testable import VaultBackend

extension VaultStandIn {
    /// One request that it has seen.
    struct Seen: Sendable {
        let method: String
        let path: String
        let namespace: String
        let token: String?
        let body: String
        let status: Int?
        let connection: Int
        /// As it was told.
        let text: String
    }

    /// All requests so far; afterwards they are forgotten.
    func takeSeen() throws -> [Seen] {
        let text = Array(try control("seen", "{\"forget\":true}").utf8)
        let buffer = WipedBuffer(limit: 4 << 20)
        guard text.span.withUnsafeBytes({ buffer.append($0) }), let document = JSONDocument(buffer, limit: .max) else {
            throw TestError("the stand-in tells no JSON: \(text.count) bytes")
        }
        return (document.root["requests"]?.elements ?? []).map { request in
            Seen(
                method: request["method"]?.text ?? "", path: request["path"]?.text ?? "",
                namespace: request["namespace"]?.text ?? "", token: request["token"]?.text,
                body: request["body"]?.text ?? "", status: request["status"]?.integer,
                connection: request["connection"]?.integer ?? 0,
                text: (request["headers"]?.members ?? []).map { "\($0.name): \($0.value.text ?? "")" }
                    .joined(separator: "\n"))
        }
    }

    /// Logins among what was seen.
    static func logins(_ seen: [Seen]) -> [Seen] { seen.filter { $0.path.hasSuffix("/login") } }
}
