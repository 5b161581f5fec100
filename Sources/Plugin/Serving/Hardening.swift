internal import CLinux
internal import Crypto
internal import Synchronization

/// `ProcessHardening` for a command.
enum Hardening {
    /// Whether all memory is locked.
    private static let isLocked = Atomic<Bool>(false)

    /// Applies it before any key exists.
    ///
    /// - Returns: what could not be had, to be logged; empty unless unlocked memory was allowed.
    /// - Throws: `CommandFailure` with the limit to raise.
    static func apply(allowUnlockedMemory: Bool) throws(CommandFailure) -> [String] {
        // Two: one for the threads that answer, one for those that call devices.
        trousseau_limit_malloc_arenas(2)
        do throws(HardeningError) {
            let report = try ProcessHardening.apply(allowUnlockedMemory: allowUnlockedMemory)
            isLocked.store(report.memoryLocked, ordering: .relaxed)
            return report.warnings
        } catch {
            throw CommandFailure(.failure, error.message, hint: error.hint)
        }
    }

    /// Gives the memory back that only the start has needed: about a third of what is resident then.
    static func giveBackStartMemory() {
        _ = trousseau_give_back_start_pages(isLocked.load(ordering: .relaxed) ? 1 : 0)
    }
}
