internal import Crypto

/// `ProcessHardening` for a command.
enum Hardening {
    /// Applies it before any key exists.
    ///
    /// - Returns: what could not be had, to be logged; empty unless unlocked memory was allowed.
    /// - Throws: `CommandFailure` with the limit to raise.
    static func apply(allowUnlockedMemory: Bool) throws(CommandFailure) -> [String] {
        do throws(HardeningError) {
            return try ProcessHardening.apply(allowUnlockedMemory: allowUnlockedMemory).warnings
        } catch {
            throw CommandFailure(.failure, error.message, hint: error.hint)
        }
    }
}
