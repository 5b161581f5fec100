internal import Crypto
internal import Keyring

/// The transit engine's calls for one key, with everything checked that they tell.
struct Transit: Sendable {
    let api: AuthorizedClient
    let mount: String
    let key: String
    let book: KeyBook

    /// `transit/keys/kek`.
    var keyPath: String { "\(mount)/keys/\(key)" }

    /// Asks for the key. Always before something is sealed: `encrypt` makes a key that does not exist, if the token may.
    ///
    /// - Throws: `notFound` when there is none.
    @discardableResult
    func read(_ until: ContinuousClock.Instant) async throws(VaultError) -> TransitKey {
        do throws(VaultError) {
            let answer = try await api.send(.get, keyPath, until: until)
            let key = try TransitKey(answer, keyPath)
            book.update(key)
            return key
        } catch {
            if error.code == .notFound { book.update(nil) }
            throw error.code == .notFound
                ? error.with(
                    code: .notFound,
                    hint: "make it: vault write -f \(keyPath) type=aes256-gcm96, or trousseau init --generate-keys")
                : error
        }
    }

    /// Makes the key: aes256-gcm96, which Vault exports, derives and deletes only if it is told so.
    func create(_ until: ContinuousClock.Instant) async throws(VaultError) {
        let body = RequestBody(try SecretText.plain("{\"type\":\"aes256-gcm96\",\"exportable\":false}"))
        _ = try await api.send(.post, keyPath, body, until: until)
    }

    /// The key, if something may be sealed to it now.
    func readSafe(_ until: ContinuousClock.Instant) async throws(VaultError) -> TransitKey {
        let key = try await read(until)
        if let refusal = key.refusal {
            throw VaultError(.keyRefused, "key \(self.key) \(refusal.reason)", hint: refusal.hint)
        }
        return key
    }

    /// Vault's string for a plaintext, and the version that made it, by its own answer: what a later look at the key says
    /// may be another one.
    func encrypt(
        _ plaintext: borrowing SecretBytes, as key: TransitKey, _ until: ContinuousClock.Instant
    ) async throws(VaultError) -> VaultSeal {
        let body = try plaintext.withUnsafeBytes { (bytes) throws(VaultError) in
            RequestBody(try SecretText.join("{\"plaintext\":\"", base64: bytes, "\"}"))
        }
        return try await string("encrypt", body, key, until)
    }

    /// The same plaintext under the key's latest version; it never leaves Vault.
    func rewrap(
        _ seal: VaultSeal, as key: TransitKey, _ until: ContinuousClock.Instant
    ) async throws(VaultError) -> VaultSeal {
        let body = RequestBody(try SecretText.plain("{\"ciphertext\":\"\(seal.text)\"}"))
        do throws(VaultError) {
            return try await string("rewrap", body, key, until)
        } catch  where error.status == 400 {
            throw await explain(seal, error, until)
        }
    }

    /// The plaintext of a string.
    func decrypt(_ seal: VaultSeal, _ until: ContinuousClock.Instant) async throws(VaultError) -> SecretText.Owned {
        let path = "\(mount)/decrypt/\(key)"
        let body = RequestBody(try SecretText.plain("{\"ciphertext\":\"\(seal.text)\"}"))
        let answer: VaultAnswer
        do throws(VaultError) {
            answer = try await api.send(.post, path, body, until: until)
        } catch  where error.status == 400 {
            throw await explain(seal, error, until)
        }
        let plaintext = try answer.data?["plaintext"]?.withSecret { (text) throws(VaultError) in
            try SecretText.decode(base64: text)
        }
        guard let plaintext, let secret = plaintext else {
            throw VaultError(.answer, "POST \(path): the answer has no plaintext", errorClass: .reopen)
        }
        return secret
    }

    private func string(
        _ call: String, _ body: RequestBody, _ key: TransitKey, _ until: ContinuousClock.Instant
    ) async throws(VaultError) -> VaultSeal {
        let path = "\(mount)/\(call)/\(self.key)"
        let answer = try await api.send(.post, path, body, until: until)
        guard let text = answer.data?["ciphertext"]?.text else {
            throw VaultError(.answer, "POST \(path): the answer has no ciphertext", errorClass: .reopen)
        }
        let seal = try VaultSeal(Array(text.utf8))
        // Older servers do not say it beside the string.
        if let said = answer.data?["key_version"]?.integer, said != seal.version {
            throw VaultError(
                .answer, "POST \(path): the answer names version \(said) and another one", errorClass: .reopen)
        }
        guard let version = seal.version, version >= key.latestVersion else {
            guard !(try await read(until).continues(key.created)) else {
                throw VaultError(
                    .busy, "POST \(path): the answer is of an older version than Vault has shown",
                    hint: "a standby that is behind?", errorClass: .retry)
            }
            throw VaultError(
                .keyRefused, "key \(self.key) was made anew while it was used", hint: "find out who deleted it")
        }
        return seal
    }

    /// Parts of what Vault and OpenBao say, since the first versions, of a string that their key does not open.
    private static let complaints = [
        "invalid ciphertext", "message authentication failed",
        "ciphertext or signature version is disallowed by policy (too old)",
    ]

    /// Why Vault does not take a string: it says 400 to many things. That a seal does not open is remembered, so it is said
    /// only if Vault says it in words that are known.
    private func explain(
        _ seal: VaultSeal, _ error: VaultError, _ until: ContinuousClock.Instant
    ) async -> VaultError {
        guard let words = error.words, Transit.complaints.contains(where: { words.contains($0) }) else { return error }
        let shown: TransitKey
        do throws(VaultError) {
            shown = try await read(until)
        } catch {
            return error
        }
        guard let version = seal.version else { return VaultSeal.doesNotOpen }
        if version < shown.minimumDecryptionVersion {
            return VaultSeal.error(
                "version \(version) of the key made it, and its min_decryption_version is "
                    + "\(shown.minimumDecryptionVersion)",
                hint: "lower it for a moment and run trousseau reseal, or let another backend open the keyring")
        }
        if version > shown.latestVersion {
            return VaultSeal.error(
                "version \(version) of the key made it, and Vault has \(shown.latestVersion) at most",
                hint: "was Vault restored from an older backup, or the key made anew?")
        }
        return VaultSeal.doesNotOpen
    }
}
