internal import Configuration

/// One command with its options, as it was read from the command line.
enum Command: Equatable {
    case help(Usage.Topic)
    case version(OutputFormat)
    case initialize(Initialize)
    case serve(configuration: String)
    case status(configuration: String, OutputFormat)
    case stop(configuration: String)
    case doctor(configuration: String, OutputFormat)
    case encryptionConfig(EncryptionConfig)
    case kms(KMS)
    case bench(Bench)
    case reseal(Reseal)
    case recoveryKey(RecoveryKey)
    case recover(Recover)

    struct Initialize: Equatable {
        let configuration: String
        let generateKeys: Bool
        let output: OutputFormat
    }

    struct Reseal: Equatable {
        let configuration: String
        /// Nil: only seals that are missing or do not open are made.
        let backend: String?
        let generateKeys: Bool
        let dropReplaced: Bool
        /// Values of PCRs that are to come; none: none.
        let pcrs: [String]
        /// Not asked before recipients are removed.
        let isConfirmed: Bool
        let output: OutputFormat
    }

    struct EncryptionConfig: Equatable {
        let configuration: String
        /// Nil: the configuration's.
        let socket: String?
        let api: API
        let name: String
    }

    enum API: String, CaseIterable {
        case v2, v1
    }

    struct KMS: Equatable {
        enum Operation: String {
            case status, encrypt, decrypt
        }
        let operation: Operation
        let socket: String
        let api: API
        /// Nil: standard input.
        let input: String?
        let timeout: Duration
        let output: OutputFormat
    }

    struct Bench: Equatable {
        enum Operation: String, CaseIterable {
            case status, encrypt, decrypt, all
            case v1Encrypt = "v1-encrypt"
            case v1Decrypt = "v1-decrypt"
        }
        let socket: String
        let operation: Operation
        let concurrency: Int
        let connections: Int
        let duration: Duration
        /// Nil: nothing is said about the server's process.
        let pid: Int?
        let output: OutputFormat
    }

    static let defaultConfiguration = "/etc/trousseau/config.yaml"
    private static let words = [
        "init", "serve", "status", "stop", "doctor", "encryption-config", "version", "kms", "bench", "reseal",
        "recovery-key", "recover", "help",
    ]

    /// Reads the arguments that follow the program's name.
    ///
    /// - Throws: `CommandFailure` with code `usage`.
    static func parse(_ arguments: [String]) throws(CommandFailure) -> Command {
        guard let word = arguments.first else {
            throw CommandFailure(.usage, "no command", hint: "see trousseau help")
        }
        let rest = Array(arguments.dropFirst())
        if word == "--help" || word == "-h" { return .help(.overview) }
        if word == "--version" { return .version(.text) }
        guard words.contains(word) else { throw unknown(word, words) }
        if word == "help" { return .help(try topic(rest)) }
        if rest.contains("--help") || rest.contains("-h") { return .help(Usage.Topic(rawValue: word) ?? .overview) }
        switch word {
        case "init": return try initialize(rest)
        case "serve":
            return .serve(configuration: try configuration(try Arguments(rest, of: word, [.value("--config")])))
        case "stop": return .stop(configuration: try configuration(try Arguments(rest, of: word, [.value("--config")])))
        case "status":
            let arguments = try Arguments(rest, of: word, [.value("--config"), .value("--output")])
            return .status(configuration: try configuration(arguments), try output(arguments))
        case "doctor":
            let arguments = try Arguments(rest, of: word, [.value("--config"), .value("--output")])
            return .doctor(configuration: try configuration(arguments), try output(arguments))
        case "encryption-config": return try encryptionConfig(rest)
        case "kms": return try kms(rest)
        case "bench": return try bench(rest)
        case "reseal": return try reseal(rest)
        case "recovery-key": return try recoveryKey(rest)
        case "recover": return try recover(rest)
        default: return .version(try output(try Arguments(rest, of: word, [.value("--output")])))
        }
    }

    private static func unknown(_ word: String, _ words: [String]) -> CommandFailure {
        let nearest = Suggestion.nearest(to: word, in: words).map { "did you mean trousseau \($0)?" }
        return CommandFailure(.usage, "unknown command \(Quoted.text(word))", hint: nearest ?? "see trousseau help")
    }

    private static func topic(_ rest: [String]) throws(CommandFailure) -> Usage.Topic {
        guard let word = rest.first else { return .overview }
        guard let topic = Usage.Topic(rawValue: word) else { throw unknown(word, words) }
        return topic
    }

    private static func configuration(_ arguments: Arguments) throws(CommandFailure) -> String {
        try arguments.string("--config") ?? defaultConfiguration
    }

    private static func output(_ arguments: Arguments) throws(CommandFailure) -> OutputFormat {
        try arguments.choice("--output", default: .text)
    }

    private static func initialize(_ rest: [String]) throws(CommandFailure) -> Command {
        let arguments = try Arguments(
            rest, of: "init", [.value("--config"), .flag("--generate-keys"), .value("--output")])
        return .initialize(
            Initialize(
                configuration: try configuration(arguments), generateKeys: arguments.has("--generate-keys"),
                output: try output(arguments)))
    }

    private static func reseal(_ rest: [String]) throws(CommandFailure) -> Command {
        let arguments = try Arguments(
            rest, of: "reseal",
            [
                .value("--config"), .value("--backend"), .flag("--generate-keys"), .flag("--drop-replaced"),
                .values("--pcrs"), .flag("--yes"), .value("--output"),
            ])
        guard arguments.has("--drop-replaced") || !arguments.has("--yes") else {
            throw arguments.failure("--yes without --drop-replaced", hint: "only that asks")
        }
        return .reseal(
            Reseal(
                configuration: try configuration(arguments), backend: try arguments.string("--backend"),
                generateKeys: arguments.has("--generate-keys"), dropReplaced: arguments.has("--drop-replaced"),
                pcrs: try arguments.list("--pcrs"), isConfirmed: arguments.has("--yes"), output: try output(arguments)))
    }

    private static func encryptionConfig(_ rest: [String]) throws(CommandFailure) -> Command {
        let options: [Arguments.Option] = [.value("--config"), .value("--socket"), .value("--api"), .value("--name")]
        let arguments = try Arguments(rest, of: "encryption-config", options)
        let name = try arguments.string("--name") ?? "trousseau"
        // It stands between colons in etcd, and in YAML here.
        let isPlain = name.utf8.allSatisfy {
            $0 >= UInt8(ascii: "a") && $0 <= UInt8(ascii: "z") || $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9")
                || $0 == UInt8(ascii: "-")
        }
        guard isPlain, name.utf8.count <= 63 else {
            throw arguments.failure(
                "--name \(Quoted.text(name)) is not a name", hint: "use at most 63 of a-z, 0-9 and -")
        }
        return .encryptionConfig(
            EncryptionConfig(
                configuration: try configuration(arguments), socket: try arguments.string("--socket"),
                api: try arguments.choice("--api", default: .v2), name: name))
    }
}
