internal import CLinux
internal import Glibc

/// What a process that holds keys does first: nothing of it reaches swap, a core dump or a debugger.
public enum ProcessHardening {
    /// What was reached.
    public struct Report: Sendable, Equatable {
        /// All pages of the process stay in memory.
        public let memoryLocked: Bool
        /// The secure heap stays in memory.
        public let heapLocked: Bool
        /// What could not be had, each with a hint; empty unless unlocked memory was allowed.
        public let warnings: [String]
    }

    /// Not dumpable, no core files, SIGPIPE ignored, all memory locked as it is touched, and the secure heap set up.
    ///
    /// With a limit on locked memory (RLIMIT_MEMLOCK) and without CAP_IPC_LOCK, locking could succeed now and make any
    /// later allocation fail, so that is refused up front.
    ///
    /// - Parameter allowUnlockedMemory: go on, with what can be had, where memory cannot be locked.
    /// - Throws: `HardeningError`, which says how to raise the limit.
    public static func apply(allowUnlockedMemory: Bool) throws(HardeningError) -> Report {
        // A peer that goes away must not end the process: not every library writes with MSG_NOSIGNAL.
        signal(SIGPIPE, SIG_IGN)
        guard trousseau_forbid_dumps() == 0 else { throw HardeningError("no core dumps", errno) }
        var warnings: [String] = []
        var memoryLocked = false
        do throws(HardeningError) {
            try lockMemory()
            memoryLocked = true
        } catch {
            guard allowUnlockedMemory else { throw error }
            warnings.append("\(error.message): \(swapHint)")
        }
        do throws(CryptoError) {
            try SecureHeap.initialize(allowUnlocked: allowUnlockedMemory)
        } catch {
            throw HardeningError("secure heap: \(error)", hint: limitHint)
        }
        if !SecureHeap.isLocked { warnings.append("the secure heap is not locked into memory: \(swapHint)") }
        return Report(memoryLocked: memoryLocked, heapLocked: SecureHeap.isLocked, warnings: warnings)
    }

    private static let swapHint = "keep swap off, or encrypted"
    private static let limitHint = """
        raise the limit (systemd: LimitMEMLOCK=infinity; container: --ulimit memlock=-1:-1, or the capability IPC_LOCK; \
        shell: ulimit -l unlimited), or set server.allowUnlockedMemory: true and \
        \(swapHint)
        """

    private static func lockMemory() throws(HardeningError) {
        var limit: UInt64 = 0
        guard trousseau_raise_memory_lock_limit(&limit) == 0 else { throw HardeningError("RLIMIT_MEMLOCK", errno) }
        guard limit == UInt64.max || trousseau_may_exceed_memory_lock_limit() == 1 else {
            throw HardeningError(
                "memory cannot be locked: the limit on locked memory (RLIMIT_MEMLOCK) is \(limit / 1024) KiB",
                hint: limitHint)
        }
        guard trousseau_mlockall_onfault() == 0 else { throw HardeningError("mlockall", errno, hint: limitHint) }
    }
}
