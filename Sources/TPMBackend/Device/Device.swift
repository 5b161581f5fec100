internal import Glibc
internal import Keyring
internal import Synchronization

/// One TPM: opened when somebody needs it, given back when nobody does. Between calls nothing of ours is loaded in it
/// and no session is open, since it has three slots of each and other users.
///
/// All functions block and are called on the backend's one thread.
final class Device: @unchecked Sendable {
    // Sendable: one thread only, as ESYS_CONTEXT wants it.
    private let tcti: String
    private let name: String
    private let log: Log
    private var context: ESYSContext?
    private let openness = Mutex(false)
    /// TPM handles that a lost connection may have left behind.
    private var orphans: [UInt32] = []

    private let alarmCount = Mutex<UInt64>(0)

    /// How often a busy TPM is asked.
    static let patience = 5

    init(_ configuration: CheckedConfiguration, log: Log) {
        tcti = configuration.tcti
        name = configuration.name
        self.log = log
    }

    /// Runs `body` with the open TPM. What the error table has a remedy for is remedied, each way once, and `body` is
    /// run again: it must be able to begin anew at any time.
    func run<R: ~Copyable>(_ body: (ESYSContext) throws(TPMError) -> R) throws(TPMError) -> R {
        var tried: Set<Remedy> = []
        var waits = 0
        while true {
            let failure: TPMError
            do throws(TPMError) {
                let context = try opened()
                // A flush that failed has hurt nobody yet.
                defer { if !context.orphans.isEmpty { close() } }
                return try body(context)
            } catch {
                failure = error
            }
            if failure.isAlarm { alert(failure) }
            switch failure.remedy {
            case .none: throw failure
            case .wait:
                waits += 1
                guard waits < Device.patience else { throw failure }
                pause(waits)
                continue
            case .reopen:
                close()
                // Somebody else may be about to give it back, or it about to come up.
                if failure.command == .open { pause(1) }
            case .startUp:
                // Objects and sessions went with the reset.
                orphans = []
                close()
                log(.warning, "the TPM was reset and not started: trousseau starts it", ("backend", name))
                if tried.insert(.startUp).inserted {
                    try opened().startUp()
                    continue
                }
            case .makeRoom:
                close()
                if tried.insert(.makeRoom).inserted {
                    try opened().flush(orphans: orphans)
                    orphans = []
                    continue
                }
            }
            guard tried.insert(failure.remedy).inserted else { throw failure }
        }
    }

    private var isManaged: Bool { tcti.hasPrefix("device:/dev/tpmrm") }

    /// Whether somebody else is kept out; asked from any thread.
    var isOpen: Bool { openness.withLock { $0 } }

    /// How often an answer was not the pinned TPM's; asked from any thread.
    var alarms: UInt64 { alarmCount.withLock { $0 } }

    /// Gives the TPM back.
    func close() {
        guard let context else { return }
        // The kernel's resource manager has flushed what was ours with the file, and session handles, which it does not
        // translate, may be somebody else's by now. Without one, more than a few are not ours any more.
        orphans = isManaged ? [] : (orphans + context.orphans).suffix(8)
        self.context = nil
        openness.withLock { $0 = false }
    }

    private func opened() throws(TPMError) -> ESYSContext {
        if let context { return context }
        do throws(TPMError) {
            let context = try ESYSContext(tcti: tcti)
            self.context = context
            openness.withLock { $0 = true }
            return context
        } catch {
            throw DevicePath(tcti)?.explain(error) ?? error
        }
    }

    /// 50, 100, 200 and 400 ms, each a quarter more or less.
    private func pause(_ attempt: Int) {
        let base = UInt32(50_000) << UInt32(attempt - 1)
        usleep(base - base / 4 + UInt32.random(in: 0...(base / 2)))
    }

    private func alert(_ failure: TPMError) {
        alarmCount.withLock { $0 += 1 }
        log(
            .error, "security: an answer in the TPM's name was not made by the pinned TPM", ("backend", name),
            ("reason", failure.message))
    }
}
