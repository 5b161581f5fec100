internal import Crypto
internal import Keyring
internal import Synchronization

/// What Vault answered.
struct VaultAnswer: Sendable {
    let status: Int
    /// Nil when there is no body, or none that is JSON.
    let document: JSONDocument?

    /// What engines answer with.
    var data: JSONDocument.Value? { document?.root["data"] }
    /// What logins answer with.
    var auth: JSONDocument.Value? { document?.root["auth"] }
}

/// Vault's HTTP API, version 1, without tokens of its own: which server is asked, redirects, and what statuses mean.
final class VaultClient: Sendable {
    /// From a standby to the active node, and once more if that changes meanwhile.
    private static let redirects = 2
    /// How long one server is waited for while there is another one to ask.
    private static let longestShare = Duration.seconds(3)
    /// Paths that the root namespace alone has: Vault refuses them with a namespace's header.
    private static let rootPaths: Set<String> = [health]
    private static let health = "sys/health"

    let addresses: [VaultAddress]
    private let serverName: String?
    private let headers: [String]
    private let namespace: String?
    private let transport: Transport
    /// The index of the address that answered last.
    private let preferred = Mutex(0)

    /// - Parameter headers: sent with each request, beside those that the configuration asks for.
    init(_ configuration: CheckedConfiguration, headers: [String] = []) {
        addresses = configuration.addresses
        serverName = configuration.transport.serverName
        self.headers = headers
        namespace = configuration.namespace
        transport = Transport(configuration.name, configuration.transport)
    }

    /// The answer, if it is a success.
    ///
    /// - Parameters:
    ///   - path: below /v1/.
    ///   - isOnce: see `ask`.
    func send(
        _ method: HTTPRequest.Method, _ path: String, _ body: RequestBody? = nil, token: VaultToken? = nil,
        isOnce: Bool = false, until: ContinuousClock.Instant
    ) async throws(VaultError) -> VaultAnswer {
        let answer = try await ask(method, path, body, token: token, isOnce: isOnce, until: until)
        guard answer.status == 200 || answer.status == 204 else {
            throw VaultError(status: answer.status, "\(method.rawValue) \(path)", ServerText.errors(answer.document))
        }
        return answer
    }

    /// The answer, whatever its status. Another address is asked when one does not answer, or answers that it does not
    /// serve; each has its share of the time.
    ///
    /// - Parameter isOnce: whether the request uses something up, such as a wrapping token. Then it goes to another address
    ///   only if certainly nobody took it, and which server answers is found out before, by one that costs nothing.
    func ask(
        _ method: HTTPRequest.Method, _ path: String, _ body: RequestBody? = nil, token: VaultToken? = nil,
        isOnce: Bool = false, until: ContinuousClock.Instant
    ) async throws(VaultError) -> VaultAnswer {
        if isOnce && addresses.count > 1 { _ = try await ask(.get, VaultClient.health, until: until) }
        let first = preferred.withLock { $0 }
        // What a server said is worth more than that others are silent.
        var said: Result<VaultAnswer, VaultError>?
        var silence: VaultError?
        for offset in 0..<addresses.count {
            let index = (first + offset) % addresses.count
            let left = until - .now
            guard left > .zero else { break }
            let others = addresses.count - offset - 1
            let share = others == 0 || isOnce ? left : min(left / (others + 1), VaultClient.longestShare)
            let call = Call(
                method: method, path: path, body: body, token: token, isOnce: isOnce, until: min(.now + share, until))
            do throws(VaultError) {
                let answer = try await exchange(addresses[index], call)
                guard StatusFailure.isAway(answer.status) else {
                    preferred.withLock { $0 = index }
                    return answer
                }
                said = .success(answer)
                let isUntouched = StatusFailure.isUntouched(answer.status) && ServerText.errors(answer.document) != nil
                guard !isOnce || isUntouched else { break }
            } catch  where [.unreachable, .tls, .deadline, .answer].contains(error.code) {
                if error.status == nil { silence = error } else { said = .failure(error) }
                guard !isOnce || error.isUnsent else { break }
            }
        }
        // Whoever failed is the last to be asked the next time.
        preferred.withLock { if $0 == first { $0 = (first + 1) % addresses.count } }
        if let said { return try said.get() }
        throw silence ?? VaultError(.deadline, "\(method.rawValue) \(path): no time left", errorClass: .retry)
    }

    /// Takes no more requests; returns when those on their way have ended.
    func stop() async { await transport.stop() }

    /// One request, whichever server it goes to.
    private struct Call {
        let method: HTTPRequest.Method
        let path: String
        let body: RequestBody?
        let token: VaultToken?
        let isOnce: Bool
        let until: ContinuousClock.Instant

        var name: String { "\(method.rawValue) \(path)" }

        /// Whether a text was in what was sent, so that it may be a part of a secret.
        func holds(_ text: String) -> Bool {
            func isIn(_ bytes: UnsafeRawBufferPointer) -> Bool {
                let text = Array(text.lowercased().utf8)
                guard bytes.count >= text.count else { return false }
                return (0...bytes.count - text.count).contains { start in
                    text.indices.allSatisfy { index in
                        let byte = bytes[start + index]
                        return (65...90 ~= byte ? byte + 32 : byte) == text[index]
                    }
                }
            }
            return token?.bytes.withUnsafeBytes(isIn) ?? false || body?.bytes.withUnsafeBytes(isIn) ?? false
        }
    }

    private func exchange(_ first: VaultAddress, _ call: Call) async throws(VaultError) -> VaultAnswer {
        var address = first
        for _ in 0...VaultClient.redirects {
            let answer = try await perform(address, call)
            guard [301, 302, 303, 307, 308].contains(answer.status) else {
                let document = JSONDocument(answer.body)
                if document == nil, answer.status == 200 {
                    throw VaultError(
                        .answer, "\(call.name) \(address.url): the answer is no JSON, or not all of it",
                        hint: "is this Vault's address?", errorClass: .reopen)
                }
                return VaultAnswer(status: answer.status, document: document)
            }
            guard let next = target(of: answer.redirect ?? "", call.path) else {
                var place = ServerText.origin(answer.redirect ?? "")
                // A server may put a token that it was sent in there.
                if place.split(whereSeparator: { "./:".contains($0) }).contains(where: {
                    $0.utf8.count > 7 && call.holds(String($0))
                }) {
                    place = "[…]"
                }
                let error = VaultError(
                    status: answer.status, "\(call.path): \(address.url) redirects to \(place)", nil)
                throw VaultError(
                    error.code, error.message, hint: error.hint, errorClass: error.errorClass, status: error.status,
                    isUnsent: true)
            }
            address = next
        }
        throw VaultError(
            .unreachable, "\(call.path): the servers redirect to each other", hint: "check Vault's cluster",
            errorClass: .reopen, isUnsent: true)
    }

    /// Tokens and keys go to configured servers only, and never in clear, whatever a redirect says.
    func target(of place: String, _ path: String) -> VaultAddress? {
        guard let next = addresses.first(where: { $0.isEncrypted && $0.isOrigin(of: place) }),
            place.hasSuffix("/v1/\(path)") && !place.contains("?")
        else { return nil }
        return next
    }

    private func perform(_ address: VaultAddress, _ call: Call) async throws(VaultError) -> HTTPAnswer {
        let space = VaultClient.rootPaths.contains(call.path) ? nil : namespace
        let request = HTTPRequest(
            method: call.method, url: address.url(host: serverName ?? address.host) + "/v1/" + call.path,
            headers: headers + (space.map { ["X-Vault-Namespace: \($0)"] } ?? []), token: call.token, body: call.body,
            until: call.until, isOnce: call.isOnce)
        let target = serverName.map { _ in Transport.Target(host: address.host, port: address.port) }
        do throws(VaultError) {
            return try await transport.perform(request, at: target)
        } catch {
            throw VaultError(
                error.code, "\(call.name) \(address.url): \(error.message)", hint: error.hint,
                errorClass: error.errorClass, isUnsent: error.isUnsent)
        }
    }
}
