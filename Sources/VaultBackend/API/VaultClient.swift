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

    let addresses: [VaultAddress]
    private let serverName: String?
    private let headers: [String]
    private let transport: Transport
    /// The index of the address that answered last.
    private let preferred = Mutex(0)

    /// - Parameter headers: sent with each request, beside those that the configuration asks for.
    init(_ configuration: CheckedConfiguration, headers: [String] = []) {
        addresses = configuration.addresses
        serverName = configuration.transport.serverName
        self.headers = headers + (configuration.namespace.map { ["X-Vault-Namespace: \($0)"] } ?? [])
        transport = Transport(configuration.name, configuration.transport)
    }

    /// The answer, if it is a success.
    ///
    /// - Parameter path: below /v1/.
    func send(
        _ method: HTTPRequest.Method, _ path: String, _ body: RequestBody? = nil, token: VaultToken? = nil,
        until: ContinuousClock.Instant
    ) async throws(VaultError) -> VaultAnswer {
        let answer = try await ask(method, path, body, token: token, until: until)
        guard answer.status == 200 || answer.status == 204 else {
            throw VaultError(status: answer.status, "\(method.rawValue) \(path)", ServerText.errors(answer.document))
        }
        return answer
    }

    /// The answer, whatever its status. Another address is asked when one does not answer, or answers that it does not
    /// serve; each has its share of the time.
    func ask(
        _ method: HTTPRequest.Method, _ path: String, _ body: RequestBody? = nil, token: VaultToken? = nil,
        until: ContinuousClock.Instant
    ) async throws(VaultError) -> VaultAnswer {
        let first = preferred.withLock { $0 }
        // What a server said is worth more than that others are silent.
        var said: Result<VaultAnswer, VaultError>?
        var silence: VaultError?
        for offset in 0..<addresses.count {
            let index = (first + offset) % addresses.count
            let left = until - .now
            guard left > .zero else { break }
            let others = addresses.count - offset - 1
            let share = others == 0 ? left : min(left / (others + 1), VaultClient.longestShare)
            do throws(VaultError) {
                let answer = try await exchange(
                    addresses[index], method, path, body, token, min(.now + share, until))
                guard answer.status == 503 || answer.status == 472 else {
                    preferred.withLock { $0 = index }
                    return answer
                }
                said = .success(answer)
            } catch  where [.unreachable, .tls, .deadline, .answer].contains(error.code) {
                if error.status == nil { silence = error } else { said = .failure(error) }
            }
        }
        if let said { return try said.get() }
        throw silence ?? VaultError(.deadline, "\(method.rawValue) \(path): no time left", errorClass: .retry)
    }

    /// Takes no more requests; returns when those on their way have ended.
    func stop() async { await transport.stop() }

    private func exchange(
        _ first: VaultAddress, _ method: HTTPRequest.Method, _ path: String, _ body: RequestBody?,
        _ token: VaultToken?, _ until: ContinuousClock.Instant
    ) async throws(VaultError) -> VaultAnswer {
        var address = first
        for _ in 0...VaultClient.redirects {
            let answer = try await perform(address, method, path, body, token, until)
            guard [301, 302, 303, 307, 308].contains(answer.status) else {
                let document = JSONDocument(answer.body)
                if document == nil, answer.status == 200 {
                    throw VaultError(
                        .answer, "\(method.rawValue) \(path) \(address.url): the answer is no JSON, or not all of it",
                        hint: "is this Vault's address?", errorClass: .reopen)
                }
                return VaultAnswer(status: answer.status, document: document)
            }
            address = try target(of: answer, from: address, path)
        }
        throw VaultError(
            .unreachable, "\(path): the servers redirect to each other", hint: "check Vault's cluster",
            errorClass: .reopen)
    }

    /// Tokens and keys go to configured servers only, and never in clear, whatever a redirect says.
    private func target(
        of answer: HTTPAnswer, from address: VaultAddress, _ path: String
    ) throws(VaultError) -> VaultAddress {
        let place = answer.redirect ?? ""
        guard let next = addresses.first(where: { $0.isEncrypted && $0.isOrigin(of: place) }),
            place == "\(next.url)/v1/\(path)" || place.hasSuffix("/v1/\(path)") && !place.contains("?")
        else {
            throw VaultError(
                status: answer.status, "\(path): \(address.url) redirects to \(ServerText.shorten(place))", "")
        }
        return next
    }

    private func perform(
        _ address: VaultAddress, _ method: HTTPRequest.Method, _ path: String, _ body: RequestBody?,
        _ token: VaultToken?, _ until: ContinuousClock.Instant
    ) async throws(VaultError) -> HTTPAnswer {
        let request = HTTPRequest(
            method: method, url: address.url(host: serverName ?? address.host) + "/v1/" + path, headers: headers,
            token: token, body: body, until: until)
        let target = serverName.map { _ in Transport.Target(host: address.host, port: address.port) }
        do throws(VaultError) {
            return try await transport.perform(request, at: target)
        } catch {
            throw VaultError(
                error.code, "\(method.rawValue) \(path) \(address.url): \(error.message)", hint: error.hint,
                errorClass: error.errorClass)
        }
    }
}
