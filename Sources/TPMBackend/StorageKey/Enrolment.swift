internal import Keyring
internal import Synchronization

/// Which storage root key this node was enrolled with, and whether the TPM still has it.
final class Enrolment: Sendable {
    private let pin: StorageKeyPin
    private let log: Log
    /// Read once: nobody but us writes it.
    private let known = Mutex<StorageKey?>(nil)

    init(_ pin: StorageKeyPin, log: Log) {
        self.pin = pin
        self.log = log
    }

    /// The pinned key, or nil before the enrolment.
    func pinned() throws(TPMError) -> StorageKey? {
        if let key = known.withLock({ $0 }) { return key }
        let key = try pin.read()
        known.withLock { $0 = key }
        return key
    }

    /// The pinned key; the TPM is not asked.
    ///
    /// - Throws: `notEnrolled`, `pin`.
    func enrolled() throws(TPMError) -> StorageKey {
        guard let key = try pinned() else { throw notEnrolled }
        return key
    }

    /// The pinned key, compared with the TPM's. One command.
    ///
    /// - Parameter enrol: without a pin, pin the TPM's key, and make one where there is none. A key under which nothing can
    ///   be sealed and opened is not pinned. Six commands more.
    /// - Throws: `notEnrolled`, `replaced`, `pin`.
    func checked(_ context: ESYSContext, enrol: Bool) throws(TPMError) -> StorageKey {
        if let key = try pinned() {
            try compare(key, try context.readStorageKey())
            return key
        }
        guard enrol else { throw notEnrolled }
        if try context.readStorageKey() == nil { try context.createStorageKey() }
        guard let key = try context.readStorageKey() else {
            throw TPMError(.call, "the TPM does not show the storage root key that it made", errorClass: .retry)
        }
        try tryOut(key, context)
        try pin.write(key)
        known.withLock { $0 = key }
        if key.countsGuesses { log(.warning, StorageKey.guessing, ("handle", "0x81000001")) }
        return key
    }

    private func tryOut(_ key: StorageKey, _ context: ESYSContext) throws(TPMError) {
        do throws(TPMError) {
            try Canary(key, context).check(key, context)
        } catch {
            let wantsAuth = error.returnCode.isTPM(TPMCode.authFail) || error.returnCode.isTPM(TPMCode.badAuth)
            guard wantsAuth else { throw error }
            throw TPMError(
                .configuration,
                "\(error.message): the TPM's key at 0x81000001 cannot be used, since it has an authorization value",
                hint: StorageKey.remake, returnCode: error.returnCode)
        }
    }

    /// The key under which a seal for `description` opens: the pinned one, or without a pin (after the loss of this
    /// node's files) the TPM's own, when it is the one that the description names. No command with a pin, else one.
    func key(for description: RecipientDescription, _ context: ESYSContext) throws(TPMError) -> StorageKey {
        let wanted = try description.storageKeyName
        if let key = try pinned() {
            guard key.name == wanted else { throw Enrolment.foreign }
            return key
        }
        guard let key = try context.readStorageKey(), key.name == wanted else { throw Enrolment.foreign }
        return key
    }

    /// What a failure means: a TPM whose storage root key is another refuses in several ways what was meant for ours.
    /// Asks it for its key then, which costs a command.
    func explain(_ failure: TPMError, _ key: StorageKey, _ context: ESYSContext) -> TPMError {
        guard failure.mayBeOtherKey else { return failure }
        do throws(TPMError) {
            try compare(key, try context.readStorageKey())
        } catch  where [.replaced, .configuration].contains(error.code) {
            // The key that is there is the reason, even if it is no storage root key at all.
            return error
        } catch {
            return failure
        }
        return TPMError(
            .replaced,
            "\(failure.message): the TPM shows the enrolled storage root key and cannot use it: the key has an "
                + "authorization value, or somebody answers in the TPM's name or changes what it is told",
            hint: "look at the hardware", errorClass: .permanent,
            // Once more with a new session: a bit that flipped on the bus looks the same.
            remedy: .reopen, returnCode: failure.returnCode, isAlarm: true)
    }

    private func compare(_ key: StorageKey, _ found: StorageKey?) throws(TPMError) {
        guard let found else {
            throw Enrolment.replaced("it has no storage root key, and this node was enrolled with \(key.text)")
        }
        guard found == key else {
            throw Enrolment.replaced(
                "its storage root key is \(found.text), and this node was enrolled with \(key.text)")
        }
    }

    private var notEnrolled: TPMError {
        TPMError(
            .notEnrolled, "this node's TPM is not enrolled: \(pin.path) is missing",
            hint:
                "run trousseau init or reseal with --generate-keys: it pins the TPM's storage root key, and makes one "
                + "where there is none; if this node was enrolled before, restore the file")
    }

    private static func replaced(_ how: String) -> TPMError {
        TPMError(
            .replaced, "the TPM was replaced or cleared: \(how)",
            hint: "its seals are lost; let another recipient open the keyring, move the old pin (tpm-….srk) away, "
                + "restart the plugin, and run trousseau reseal --backend with its name and --generate-keys; if nobody touched the TPM, look at the hardware",
            errorClass: .permanent)
    }

    private static let foreign = TPMError(
        .seal, "tpm recipient: it is not this TPM's storage root key", errorClass: .permanent)
}

extension TPMError {
    /// Whether a TPM with another storage root key would answer so. Before a session exists anything that is about the
    /// key's handle or the salt; then that the session's HMAC is wrong.
    fileprivate var mayBeOtherKey: Bool {
        guard returnCode.isFormatOne else { return false }
        if command == .startSession { return true }
        return [.create, .load, .importObject].contains(command)
            && [TPMCode.authFail, TPMCode.badAuth].contains(returnCode.base)
    }
}
