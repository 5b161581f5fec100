internal import Keyring

/// The part of a token's PIN guard that outlives the process.
struct TokenPINGuard: Sendable {
    private let file: PINGuardFile
    /// With another process that logs in to the same token.
    private static let patience = Duration.seconds(10)

    /// The guard of the token with this serial; nothing is opened.
    init(directory: String, tokenSerial: String) {
        file = PINGuardFile(
            directory: directory, kind: "pkcs11", device: "token", identity: Array(tokenSerial.utf8))
    }

    var path: String { file.path }

    func read() -> PINGuardFile.Content { file.read() }

    /// Writes what `commit` puts into force, which then wants no room on the disk.
    func prepare(_ identity: PINIdentity) throws(PKCS11Error) {
        do throws(PINFailure) {
            try file.prepare(identity)
        } catch {
            throw PKCS11Error(error)
        }
    }

    /// Durable when it returns.
    func commit() throws(PKCS11Error) {
        do throws(PINFailure) {
            try file.commit()
        } catch {
            throw PKCS11Error(error)
        }
    }

    /// Removes what was prepared.
    func discard() { file.discard() }

    func remove() throws(PKCS11Error) {
        do throws(PINFailure) {
            try file.remove()
        } catch {
            throw PKCS11Error(error)
        }
    }

    /// Runs `body` while no other process logs in to this token through a guard.
    ///
    /// - Throws: `pinBlocked` when the guard folder cannot be written: a refused PIN could not be remembered.
    func locked<R>(_ body: () throws(PKCS11Error) -> R) throws(PKCS11Error) -> R {
        let lock: PINGuardFile.Lock
        do throws(PINFailure) {
            lock = try file.lock(until: .now + TokenPINGuard.patience)
        } catch {
            throw PKCS11Error(error)
        }
        defer { lock.release() }
        return try body()
    }
}
