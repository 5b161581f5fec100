internal import CLinux
internal import Crypto
internal import Glibc
internal import Keyring
internal import PKCS11Backend

/// A PKCS#11 backend in a process of its own, for tests: SOFTHSM2_CONF belongs to a process, refused PINs have to be
/// remembered across processes, and calls are counted by a spy module that environment variables steer.
///
/// Reads one command a line from descriptor 3 and answers each with lines on standard output, the last one
/// `N done`, where N is the command's number; `within 500 unseal …` gives a deadline in milliseconds,
/// `second unseal …` asks the backend of DRIVER_SECOND_KEY, `third` that of DRIVER_THIRD_KEY. Ends at end of file, or after `exit`, without a shutdown of its own.
@main
enum Main {
    static func main() async {
        do {
            try SecureHeap.initialize(allowUnlocked: true)
            // As the plugin does: p11-kit's remoting writes to peers that have gone.
            signal(SIGPIPE, SIG_IGN)
            let backend = try PKCS11Backend(configuration(), log: log, longestBackoff: longestBackoff())
            // Other keys by the same module: p11-kit counts all of them as its users.
            let others = [
                "second": try other("second", key: "DRIVER_SECOND_KEY", pin: "DRIVER_SECOND_PIN"),
                "third": try other("third", key: "DRIVER_THIRD_KEY", pin: "DRIVER_THIRD_PIN"),
            ]
            say("0 done")
            var number = 0
            while let line = readCommand() {
                number += 1
                var words = line.split(separator: " ").map(String.init)
                var limit = Duration.seconds(20)
                if words.count > 2, words[0] == "within", let milliseconds = Int(words[1]) {
                    limit = .milliseconds(milliseconds)
                    words.removeFirst(2)
                }
                var chosen = backend
                if let word = words.first, let other = others[word] ?? nil {
                    chosen = other
                    words.removeFirst()
                }
                guard let name = words.first, name != "exit" else { break }
                await run(Command(backend: chosen, name: name, arguments: Array(words.dropFirst()), limit: limit))
                say("\(number) done")
            }
        } catch {
            say("error configuration \(error)")
            say("0 done")
        }
        // As the plugin does: C libraries' own clean-up is not for a process whose threads may be in a call.
        _exit(0)
    }

    private static let log = Log { level, message, _ in
        say("log \(level) \(message)")
    }

    static func configuration() -> PKCS11Configuration {
        func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
        var configuration = PKCS11Configuration(
            name: "hsm", module: variable("DRIVER_MODULE") ?? "", key: variable("DRIVER_KEY") ?? "",
            pinSource: variable("DRIVER_PIN"), guardDirectory: variable("DRIVER_GUARD") ?? "")
        configuration.allowUnsafeKey = variable("DRIVER_UNSAFE") != nil
        configuration.allowPINCountLow = variable("DRIVER_COUNT_LOW") != nil
        configuration.allowSHA1OAEP = variable("DRIVER_SHA1") != nil
        return configuration
    }

    private static func other(_ name: String, key: String, pin: String) throws -> PKCS11Backend? {
        guard let key = getenv(key) else { return nil }
        var configuration = configuration()
        configuration.name = name
        configuration.key = String(cString: key)
        if let pin = getenv(pin) { configuration.pinSource = String(cString: pin) }
        return try PKCS11Backend(configuration, log: log, longestBackoff: longestBackoff())
    }

    /// DRIVER_BACKOFF in milliseconds, so that tests need not wait for the plugin's 30 s.
    private static func longestBackoff() -> Duration {
        getenv("DRIVER_BACKOFF").flatMap { Int(String(cString: $0)) }.map { .milliseconds($0) } ?? .seconds(30)
    }

    private static func run(_ command: Command) async {
        do {
            for line in try await command.answer() { say(line) }
        } catch let error as SealingError {
            say("error \(error.errorClass.rawValue) \(error)")
        } catch {
            say("error other \(error)")
        }
    }

    /// One line at once, unbuffered: the process may end at any time.
    static func say(_ text: String) {
        let line = Array((text + "\n").utf8)
        _ = write(STDOUT_FILENO, line, line.count)
    }

    private static func readCommand() -> String? {
        var line: [UInt8] = []
        var byte: UInt8 = 0
        while read(3, &byte, 1) == 1 {
            if byte == UInt8(ascii: "\n") { return String(decoding: line, as: UTF8.self) }
            line.append(byte)
        }
        return nil
    }
}
