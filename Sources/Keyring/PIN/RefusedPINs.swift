package import Crypto
internal import Synchronization

/// The PINs that this process saw refused, so that a file that was only touched, or put back, does not send one again.
package final class RefusedPINs: Sendable {
    private struct Refusal {
        let salt: [UInt8]
        let hash: [UInt8]
    }

    private let refusals = Mutex<[Refusal]>([])

    /// None yet.
    package init() {}

    /// Remembers one, as a keyed hash under a salt of its own that never leaves this process.
    package func remember(_ pin: borrowing SecretBytes) {
        guard let salt = try? Random.bytes(16), let hash = try? HMACSHA256.authenticate(salt, key: pin) else {
            return
        }
        refusals.withLock { list in
            // Sixteen corrections that were all wrong: the oldest may go.
            if list.count == 16 { list.removeFirst() }
            list.append(Refusal(salt: salt, hash: hash))
        }
    }

    /// Whether it is one of them; a failure of libcrypto counts as yes.
    package func contains(_ pin: borrowing SecretBytes) -> Bool {
        for refusal in refusals.withLock({ $0 }) {
            guard let hash = try? HMACSHA256.authenticate(refusal.salt, key: pin) else { return true }
            if ConstantTime.equal(hash, refusal.hash) { return true }
        }
        return false
    }
}
