internal import Glibc
internal import Keyring

/// What was so when a PIN was shown to the TPM. The TPM counts wrong ones, so that afterwards it may be told whether a PIN
/// whose answer was lost was refused.
struct PINCircumstances: Sendable, Equatable {
    /// The kernel's name for this boot, or empty.
    let boot: String
    /// Since the boot, with the time in which the machine slept.
    let seconds: UInt64
    /// Wrong guesses that counted.
    let guesses: UInt32

    init(boot: String, seconds: UInt64, guesses: UInt32) {
        self.boot = boot
        self.seconds = seconds
        self.guesses = guesses
    }

    /// As they are now.
    init(_ state: TPMState) {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        self.init(boot: PINCircumstances.bootID, seconds: UInt64(max(0, time.tv_sec)), guesses: state.lockoutCounter)
    }

    /// One line, as the guard's file holds it.
    var text: String { "boot \(boot.isEmpty ? "-" : boot) second \(seconds) guesses \(guesses)" }

    /// Nil unless `text` is exactly what `text` of some circumstances would be.
    init?(text: String) {
        let words = text.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 6, words[0] == "boot", words[2] == "second", words[4] == "guesses",
            let seconds = UInt64(words[3]), let guesses = UInt32(words[5])
        else { return nil }
        self.init(boot: words[1] == "-" ? "" : String(words[1]), seconds: seconds, guesses: guesses)
        guard self.text == text else { return nil }
    }

    /// Whether a PIN that was shown under these circumstances cannot have been refused.
    ///
    /// Only a count that was zero and still is says so, and only as long as the TPM has had no time to forget a guess: it
    /// takes one off in each `interval`. A count above zero may have gone down and up again meanwhile.
    ///
    /// - Parameters:
    ///   - now: the present ones.
    ///   - interval: seconds in which the TPM forgets a guess; 0: it does not count.
    func excludeRefusal(_ now: PINCircumstances, interval: UInt32) -> Bool {
        !boot.isEmpty && boot == now.boot && guesses == 0 && now.guesses == 0 && now.seconds >= seconds
            && now.seconds - seconds + 1 < UInt64(interval)
    }

    private static let bootID: String = {
        let file = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return "" }
        defer { close(file) }
        guard let bytes = try? readAll(file, limit: 64) else { return "" }
        let text = String(decoding: bytes.prefix { $0 != 10 }, as: UTF8.self)
        return text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f } ? text : ""
    }()
}
