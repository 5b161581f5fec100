import Keyring
import RecoveryBackend
import Testing

@testable import Plugin

@Suite("The command line of the offline way back")
struct RecoveryCommandTests {
    private func parse(_ line: String) throws(CommandFailure) -> Command {
        try Command.parse(line.split(separator: " ").map(String.init))
    }

    private static let keyID = "prod/1/aaaaaaaaaaaaaaaa/bbbbbbbb"

    @Test("is read with several sources and key_ids")
    func recover() throws {
        let line =
            "recover --from /a /b --key /k --key-id \(RecoveryCommandTests.keyID),\(RecoveryCommandTests.keyID) "
            + "--generate-keys --output json"
        guard case .recover(let options) = try parse(line) else {
            Issue.record("another command")
            return
        }
        #expect(options.sources == ["/a", "/b"] && options.keyFile == "/k" && options.generateKeys)
        #expect(options.keyIDs.map(\.text) == [RecoveryCommandTests.keyID, RecoveryCommandTests.keyID])
        #expect(options.passphrase == .terminal && options.output == .json)
        guard case .recover(let few) = try parse("recover --passphrase-file /p --from=/a") else {
            Issue.record("another command")
            return
        }
        #expect(few.sources == ["/a"] && few.keyFile == nil && few.keyIDs.isEmpty && !few.generateKeys)
        #expect(few.passphrase == .file("/p") && few.configuration == Command.defaultConfiguration)
    }

    @Test("makes P-384 keys with a passphrase unless it says otherwise")
    func recoveryKey() throws {
        let files = "recovery-key new --out-key /k --out-certificate /c"
        guard case .recoveryKey(let options) = try parse(files) else {
            Issue.record("another command")
            return
        }
        #expect(options.type == .p384 && options.passphrase == .terminal)
        #expect(options.keyFile == "/k" && options.certificateFile == "/c")
        guard case .recoveryKey(let other) = try parse(files + " --type rsa4096 --no-passphrase") else {
            Issue.record("another command")
            return
        }
        #expect(other.type == .rsa4096 && other.passphrase == .none)
    }

    @Test(
        "is refused when it says too little or what excludes each other",
        arguments: [
            ("recover", "recover: --from is missing"),
            ("recover --from", "recover: --from needs a value"),
            ("recover --from /a --from /b", "recover: --from is given twice"),
            ("recover --from /a --key-id prod/1", #"recover: --key-id "prod/1" is not a key_id"#),
            ("recover --from /a --passphrase secret", #"recover: unknown option "--passphrase""#),
            ("recovery-key", "recovery-key: no operation"),
            ("recovery-key make", #"recovery-key: unknown operation "make""#),
            ("recovery-key new --out-key /k", "recovery-key: --out-certificate is missing"),
            (
                "recovery-key new --out-key /k --out-certificate /k",
                "recovery-key: --out-key and --out-certificate are the same file"
            ),
            (
                "recovery-key new --out-key /k --out-certificate /c --type p521",
                #"recovery-key: --type "p521" is not known"#
            ),
            (
                "recovery-key new --out-key /k --out-certificate /c --no-passphrase --passphrase-file /p",
                "recovery-key: --passphrase-file and --no-passphrase exclude each other"
            ),
        ])
    func refused(_ line: String, _ message: String) {
        let failure = #expect(throws: CommandFailure.self) { try parse(line) }
        #expect(failure?.code == .usage && failure?.message == message && failure?.hint != nil)
    }
}
