internal import Synchronization

/// Requests: those that memory answers, on the caller's thread, and the one that waits.
extension KeyringService: KeyService {
    /// See `KeyService`.
    public func status() throws(ServiceError) -> CurrentPublication {
        let snapshot = self.snapshot.withLock { $0 }
        guard let active = snapshot.active else { throw counters.failed(snapshot.refusal) }
        do throws(ServiceError) {
            try active.check(now: pacing.now(), age: pacing.statusAge)
        } catch {
            throw counters.failed(error)
        }
        return active.publication
    }

    /// See `KeyService`.
    public func encrypt(_ plaintext: UnsafeRawBufferPointer, api: KMSAPI) throws(ServiceError) -> Encrypted {
        let snapshot = self.snapshot.withLock { $0 }
        guard let active = snapshot.active else { throw counters.failed(snapshot.refusal) }
        do throws(FormatError) {
            let ciphertext = try active.cipher.encrypt(plaintext, api: api)
            counters.encrypted()
            return Encrypted(ciphertext: ciphertext, publication: active.publication)
        } catch {
            throw counters.failed(ServiceError(error))
        }
    }

    /// See `KeyService`.
    public func decrypt(
        _ ciphertext: UnsafeRawBufferPointer, keyID: UnsafeRawBufferPointer?, api: KMSAPI
    ) throws(ServiceError) -> Decrypted {
        let snapshot = self.snapshot.withLock { $0 }
        let entry: Snapshot.Entry
        do throws(ServiceError) {
            entry = try KeyringService.entry(of: ciphertext, keyID: keyID, in: snapshot)
        } catch {
            throw counters.failed(error)
        }
        guard let cipher = entry.cipher else {
            return .cold(ColdDecryption(ciphertext: Array(ciphertext), api: api, kekID: entry.kekID))
        }
        return .plaintext(try decrypt(ciphertext, api: api, under: cipher))
    }

    /// See `KeyService`. Waits for the active KEK, too: no other is trusted before it.
    public func decrypt(_ cold: ColdDecryption, until: ContinuousClock.Instant) async throws(ServiceError) -> Plaintext
    {
        let cipher: EnvelopeCipher
        do throws(ServiceError) {
            let active = state.withLock { $0.roles.active.kekID }
            _ = try await opened(active, until: until)
            cipher = try await opened(cold.kekID, until: until).cipher
        } catch {
            throw counters.failed(error)
        }
        return try cold.ciphertext.span.withUnsafeBytes { (bytes) throws(ServiceError) in
            try decrypt(bytes, api: cold.api, under: cipher)
        }
    }

    /// The KEK that the ciphertext and the key_id name.
    private static func entry(
        of ciphertext: UnsafeRawBufferPointer, keyID: UnsafeRawBufferPointer?, in snapshot: Snapshot
    ) throws(ServiceError) -> Snapshot.Entry {
        let prefix: KEKPrefix
        do throws(FormatError) {
            prefix = try Envelope.kekPrefix(of: ciphertext)
        } catch {
            throw ServiceError(error)
        }
        guard let entry = snapshot.entry(prefix) else { throw snapshot.unknownKEK }
        if let keyID, !entry.matcher.matches(keyID) { throw wrongKeyID }
        return entry
    }

    private func decrypt(
        _ ciphertext: UnsafeRawBufferPointer, api: KMSAPI, under cipher: EnvelopeCipher
    ) throws(ServiceError) -> Plaintext {
        do throws(FormatError) {
            let plaintext = Plaintext(try cipher.decrypt(ciphertext, api: api))
            counters.decrypted()
            return plaintext
        } catch {
            throw counters.failed(ServiceError(error))
        }
    }

    private func opened(_ kekID: KEKID, until: ContinuousClock.Instant) async throws(ServiceError) -> OpenedKEK {
        guard let result = await open(kekID, until: until, isForced: false) else {
            throw ServiceError(
                .deadlineExceeded,
                "KEK \(kekID) is still being opened; `trousseau status` names the backend it waits for")
        }
        do throws(Trouble) {
            return try result.get()
        } catch {
            throw error.serviceError
        }
    }

    private static let wrongKeyID = ServiceError(
        .invalidArgument, "the request's key_id does not name the ciphertext's KEK")
}
