/// Vault's API with a token: calls that are refused because the token is no good any more are made again with a new one.
struct AuthorizedClient: Sendable {
    let client: VaultClient
    let keeper: TokenKeeper

    /// The answer, if it is a success.
    func send(
        _ method: HTTPRequest.Method, _ path: String, _ body: RequestBody? = nil, until: ContinuousClock.Instant
    ) async throws(VaultError) -> VaultAnswer {
        let token = try await keeper.token(until: until)
        do throws(VaultError) {
            return await served(token, try await client.send(method, path, body, token: token, until: until))
        } catch {
            guard error.code == .denied, await keeper.mayLogInAgain, try await !isKnown(token, until) else {
                throw error
            }
            await keeper.discard(token)
        }
        let token2 = try await keeper.token(until: until)
        do throws(VaultError) {
            return await served(token2, try await client.send(method, path, body, token: token2, until: until))
        } catch {
            if error.code == .denied { await keeper.newTokenDidNotHelp() }
            throw error
        }
    }

    private func served(_ token: VaultToken, _ answer: VaultAnswer) async -> VaultAnswer {
        await keeper.served(token)
        return answer
    }

    /// Vault answers 403 both to a token that has expired and to one that may not do this: which is it?
    private func isKnown(_ token: VaultToken, _ until: ContinuousClock.Instant) async throws(VaultError) -> Bool {
        do throws(VaultError) {
            _ = try await client.send(.get, "auth/token/lookup-self", token: token, until: until)
            return true
        } catch  where error.code == .denied {
            return false
        }
    }
}
