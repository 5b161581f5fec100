internal import CTSS2

/// A session salted to the storage key: only the TPM that holds that key can make its answers, and only the two of them
/// can read the parameters that it encrypts (AES-128-CFB).
final class SaltedSession {
    /// What a session is for (TPM_SE).
    enum Kind: UInt8 { case hmac = 0, policy = 1, trial = 3 }

    /// What it does for a command (TPMA_SESSION).
    struct Use: OptionSet {
        let rawValue: UInt8
        /// The session goes on after the command; else the TPM ends it with a command that succeeds.
        static let goesOn = Use(rawValue: 0x01)
        /// The first parameter of the command is encrypted.
        static let encryptsCommand = Use(rawValue: 0x20)
        /// The first parameter of the answer is encrypted.
        static let encryptsAnswer = Use(rawValue: 0x40)
        /// The answer is authenticated, where there is nothing to encrypt or to authorize.
        static let audits = Use(rawValue: 0x80)
    }

    let handle: ESYS_TR
    private let context: ESYSContext
    /// Whether the TPM has ended it.
    fileprivate var isOver = false

    fileprivate init(_ context: ESYSContext, _ handle: ESYS_TR) {
        self.context = context
        self.handle = handle
    }

    /// Runs a command in which the session is used so.
    ///
    /// - Parameter policy: a session that is used in it, too, encrypts nothing, and is over with it.
    func call(
        _ command: Command, _ use: Use, endingToo policy: SaltedSession? = nil, _ body: (OpaquePointer?) -> TSS2_RC
    ) throws(TPMError) {
        try set(use)
        try policy?.set([])
        do throws(TPMError) { try context.call(command, body) } catch { throw error.inSession }
        if !use.contains(.goesOn) { isOver = true }
        policy?.isOver = true
    }

    func set(_ use: Use) throws(TPMError) {
        try context.call(.startSession) { Esys_TRSess_SetAttributes($0, handle, use.rawValue, 0xFF) }
    }
}

extension ESYSContext {
    /// Starts a session, lends it to `body`, and ends it on every path. One command, and one more unless the last
    /// command of `body` has ended it.
    func withSession<R: ~Copyable>(
        _ kind: SaltedSession.Kind, saltedTo storageKey: ESYS_TR, _ body: (SaltedSession) throws(TPMError) -> R
    ) throws(TPMError) -> R {
        var symmetric = TPMT_SYM_DEF()
        symmetric.algorithm = TPMAlgorithm.aes
        symmetric.keyBits.aes = 128
        symmetric.mode.aes = TPMAlgorithm.cfb
        var handle: ESYS_TR = Handle.none
        try call(.startSession) {
            Esys_StartAuthSession(
                $0, storageKey, Handle.none, Handle.none, Handle.none, Handle.none, nil, kind.rawValue, &symmetric,
                TPMAlgorithm.sha256, &handle)
        }
        let session = SaltedSession(self, handle)
        defer { if session.isOver { forget(handle) } else { flush(handle) } }
        return try body(session)
    }
}
