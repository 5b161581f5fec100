internal import Crypto
internal import Glibc

/// The terminal of whoever runs the command, whatever standard input and output are.
struct Terminal: ~Copyable {
    private let descriptor: Int32

    /// - Throws: `CommandFailure` when there is none; `hint` says how to do without.
    init(for what: String, hint: String) throws(CommandFailure) {
        descriptor = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY)
        guard descriptor >= 0 else {
            throw CommandFailure(.failure, "\(what) is asked for on the terminal, and there is none", hint: hint)
        }
    }

    deinit { close(descriptor) }

    /// Asks for a line that everybody may see; at most 256 bytes.
    borrowing func line(_ prompt: String) throws(CommandFailure) -> String {
        write(prompt)
        var bytes = [UInt8](repeating: 0, count: 256)
        let count = bytes.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
        guard count > 0 else { throw Terminal.cancelled }
        let line = bytes.prefix(count).prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }
        return String(decoding: line, as: UTF8.self)
    }

    /// Asks for a line that is not shown; at most 512 bytes. Interrupt and end of file cancel it, and the terminal is
    /// afterwards as it was, also when a signal ends the process.
    borrowing func secret(_ prompt: String) throws(CommandFailure) -> SecretBytes {
        try HeldSignals.during { (signals) throws(CommandFailure) in try secret(prompt, unless: signals) }
    }

    /// - Parameter signals: readable when it is to be given up.
    private borrowing func secret(_ prompt: String, unless signals: CInt) throws(CommandFailure) -> SecretBytes {
        var before = termios()
        guard tcgetattr(descriptor, &before) == 0 else {
            throw CommandFailure(.failure, "tcgetattr: \(String(cString: strerror(errno)))")
        }
        // Byte by byte and without signals, so that no key ends the process while nothing is shown.
        var silent = before
        silent.c_lflag &= ~tcflag_t(ECHO | ECHOE | ECHOK | ECHONL | ICANON | ISIG | IEXTEN)
        guard tcsetattr(descriptor, TCSAFLUSH, &silent) == 0 else {
            throw CommandFailure(.failure, "tcsetattr: \(String(cString: strerror(errno)))")
        }
        defer {
            tcsetattr(descriptor, TCSAFLUSH, &before)
            write("\n")
        }
        // Not before: what is typed at once would be shown, or lost with the change.
        write(prompt)
        do {
            return try SecretBytes(capacity: 512) { try readSilently(into: $0, unless: signals) }
        } catch let failure as CommandFailure {
            throw failure
        } catch {
            throw CommandFailure(.failure, "\(error)")
        }
    }

    private borrowing func readSilently(
        into memory: UnsafeMutableRawBufferPointer, unless signals: CInt
    ) throws(CommandFailure) -> Int {
        var count = 0
        while true {
            // Straight into the secure memory; what is not text is overwritten by the next byte.
            guard count < memory.count, let next = memory.baseAddress.map({ $0 + count }) else {
                throw CommandFailure(.failure, "the passphrase is longer than 511 bytes")
            }
            var ready = [
                pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: signals, events: Int16(POLLIN), revents: 0),
            ]
            if poll(&ready, 2, -1) < 0 && errno == EINTR { continue }
            if ready[1].revents != 0 { throw Terminal.cancelled }
            let answer = read(descriptor, next, 1)
            if answer < 0 && errno == EINTR { continue }
            guard answer == 1 else { throw Terminal.cancelled }
            switch memory[count] {
            case UInt8(ascii: "\n"), UInt8(ascii: "\r"): return count
            // Ctrl-C, Ctrl-D, Ctrl-\, Ctrl-Z.
            case 0x03, 0x04, 0x1c, 0x1a: throw Terminal.cancelled
            // Backspace: the whole character.
            case 0x08, 0x7f:
                while count > 0 {
                    count -= 1
                    if memory[count] & 0xc0 != 0x80 { break }
                }
            // Ctrl-U: the whole line.
            case 0x15: count = 0
            default: count += 1
            }
        }
    }

    private borrowing func write(_ text: String) {
        let bytes = Array(text.utf8)
        _ = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
    }

    private static let cancelled = CommandFailure(.failure, "cancelled")
}
