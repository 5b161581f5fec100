internal import Crypto
internal import Synchronization

/// All that a request needs, immutable but for Status's cached check: one reference to read.
final class Snapshot: Sendable {
    /// One KEK of the keyring.
    final class Entry: Sendable {
        let kekID: KEKID
        let matcher: KeyIDMatcher
        /// Nil while the KEK is not open.
        let cipher: EnvelopeCipher?

        init(_ identity: Identity, _ cipher: EnvelopeCipher?) {
            kekID = identity.kekID
            matcher = KeyIDMatcher(identity)
            self.cipher = cipher
        }
    }

    /// The KEK that encrypts.
    final class Active: Sendable {
        let cipher: EnvelopeCipher
        let publication: CurrentPublication
        private let lastCheck = Mutex<(at: ContinuousClock.Instant, error: ServiceError?)?>(nil)

        init(_ cipher: EnvelopeCipher, _ publication: CurrentPublication) {
            self.cipher = cipher
            self.publication = publication
        }

        /// Encrypts and decrypts 32 bytes, unless that was done not longer ago than `age`.
        func check(now: ContinuousClock.Instant, age: Duration) throws(ServiceError) {
            let error = lastCheck.withLock { last in
                if let last, last.at <= now, now - last.at <= age { return last.error }
                let error = Active.roundTrip(cipher)
                last = (now, error)
                return error
            }
            if let error { throw error }
        }

        private static func roundTrip(_ cipher: EnvelopeCipher) -> ServiceError? {
            do throws(FormatError) {
                // Of no secret: what is encrypted here goes nowhere.
                let plaintext = [UInt8](repeating: 0x5a, count: 32)
                let ciphertext = try plaintext.span.withUnsafeBytes { (bytes) throws(FormatError) in
                    try cipher.encrypt(bytes, api: .v2)
                }
                let back = try ciphertext.span.withUnsafeBytes { (bytes) throws(FormatError) in
                    try cipher.decrypt(bytes, api: .v2)
                }
                guard back.withUnsafeBytes({ $0.elementsEqual(plaintext) }) else {
                    return ServiceError(.internalError, "the active KEK does not decrypt what it encrypts; restart")
                }
                return nil
            } catch {
                return ServiceError(.internalError, "the active KEK does not encrypt and decrypt: \(error)")
            }
        }
    }

    /// Nil as long as nothing may be encrypted.
    let active: Active?
    /// Why nothing may be.
    let refusal: ServiceError
    /// The answer to a ciphertext of a KEK that has no record here.
    let unknownKEK: ServiceError
    private let entries: [KEKPrefix: Entry]

    init(active: Active?, refusal: ServiceError, unknownKEK: ServiceError, entries: [Entry]) {
        self.active = active
        self.refusal = refusal
        self.unknownKEK = unknownKEK
        self.entries = Dictionary(entries.map { (KEKPrefix($0.kekID), $0) }) { first, _ in first }
    }

    /// The KEK that a ciphertext names.
    func entry(_ prefix: KEKPrefix) -> Entry? { entries[prefix] }
}
