import Testing

@testable import Plugin

@Suite("The command line")
struct ArgumentTests {
    private func failure(_ arguments: String) -> CommandFailure? {
        do throws(CommandFailure) {
            _ = try Command.parse(arguments.split(separator: " ").map(String.init))
            return nil
        } catch {
            return error
        }
    }

    @Test(
        "is read into commands",
        arguments: [
            ("serve", Command.serve(configuration: "/etc/trousseau/config.yaml")),
            ("serve --config ./c.yaml", .serve(configuration: "./c.yaml")),
            ("stop --config=a=b", .stop(configuration: "a=b")),
            ("status --output json", .status(configuration: "/etc/trousseau/config.yaml", .json)),
            ("doctor --output=text --config x", .doctor(configuration: "x", .text)),
            ("version", .version(.text)), ("--version", .version(.text)), ("version --output json", .version(.json)),
            ("help", .help(.overview)), ("--help", .help(.overview)), ("-h", .help(.overview)),
            ("help init", .help(.initialize)),
            ("bench --nonsense --help", .help(.bench)), ("kms encrypt -h", .help(.kms)),
            (
                "init",
                .initialize(.init(configuration: "/etc/trousseau/config.yaml", generateKeys: false, output: .text))
            ),
            (
                "init --generate-keys --config c --output json",
                .initialize(.init(configuration: "c", generateKeys: true, output: .json))
            ),
            (
                "reseal",
                .reseal(
                    .init(
                        configuration: "/etc/trousseau/config.yaml", backend: nil, generateKeys: false,
                        dropReplaced: false, pcrs: [], isConfirmed: false, output: .text))
            ),
            (
                "reseal --config c --backend b --generate-keys --drop-replaced --yes --output json",
                .reseal(
                    .init(
                        configuration: "c", backend: "b", generateKeys: true, dropReplaced: true, pcrs: [],
                        isConfirmed: true, output: .json))
            ),
            (
                "reseal --pcrs sha256:7=a+11 sha256:7+11=b --config c",
                .reseal(
                    .init(
                        configuration: "c", backend: nil, generateKeys: false, dropReplaced: false,
                        pcrs: ["sha256:7=a+11", "sha256:7+11=b"], isConfirmed: false, output: .text))
            ),
            (
                "encryption-config --api v1 --name old --socket /s",
                .encryptionConfig(
                    .init(configuration: "/etc/trousseau/config.yaml", socket: "/s", api: .v1, name: "old"))
            ),
            (
                "kms status --socket unix:///run/a.sock",
                .kms(
                    .init(
                        operation: .status, socket: "/run/a.sock", api: .v2, input: nil, timeout: .seconds(3),
                        output: .text))
            ),
            (
                "kms encrypt --socket @a --api v1 --in f --timeout 500ms",
                .kms(
                    .init(
                        operation: .encrypt, socket: "@a", api: .v1, input: "f", timeout: .milliseconds(500),
                        output: .json)
                )
            ),
            (
                "bench --socket /s --operation v1-decrypt --concurrency 8 --connections 2 --duration 1m --pid 7 --output json",
                .bench(
                    .init(
                        socket: "/s", operation: .v1Decrypt, concurrency: 8, connections: 2, duration: .seconds(60),
                        pid: 7,
                        output: .json))
            ),
        ])
    func commands(_ text: String, _ expected: Command) throws {
        #expect(try Command.parse(text.split(separator: " ").map(String.init)) == expected)
    }

    @Test(
        "is refused with a reason, a hint and exit code 2",
        arguments: [
            ("", "no command", "see trousseau help"),
            ("stauts", #"unknown command "stauts""#, "did you mean trousseau status?"),
            ("frobnicate", #"unknown command "frobnicate""#, "see trousseau help"),
            ("help srve", #"unknown command "srve""#, "did you mean trousseau serve?"),
            ("serve now", #"serve: "now" is one argument too many"#, "see trousseau help serve"),
            ("serve --confg x", #"serve: unknown option "--confg""#, "did you mean --config?"),
            ("serve --config", "serve: --config needs a value", "see trousseau help serve"),
            (
                "status --config --output json", "status: --config needs a value",
                "a value that begins so is written --config=--output"
            ),
            ("serve --config=", "serve: --config is empty", "see trousseau help serve"),
            ("serve --config a --config b", "serve: --config is given twice", "see trousseau help serve"),
            ("serve -c x", #"serve: unknown option "-c""#, "see trousseau help serve"),
            ("init --generate-keys=yes", "init: --generate-keys takes no value", "see trousseau help init"),
            ("init --generate-key", #"init: unknown option "--generate-key""#, "did you mean --generate-keys?"),
            ("status --output yaml", #"status: --output "yaml" is not known"#, "one of: text, json"),
            ("encryption-config --api v3", #"encryption-config: --api "v3" is not known"#, "one of: v2, v1"),
            (
                "encryption-config --name a:b", #"encryption-config: --name "a:b" is not a name"#,
                "use at most 63 of a-z, 0-9 and -"
            ),
            ("kms", "kms: no operation", "one of: status, encrypt, decrypt"),
            ("kms encrpt", #"kms: unknown operation "encrpt""#, "did you mean trousseau kms encrypt?"),
            ("kms status", "kms: --socket is missing", "the plugin's socket, such as --socket /run/trousseau/kms.sock"),
            (
                "kms status --socket kms.sock", #"kms: --socket "kms.sock" is not an absolute path"#,
                "the plugin's socket, such as --socket /run/trousseau/kms.sock"
            ),
            ("kms status --socket /s --in f", #"kms: unknown option "--in""#, "see trousseau help kms"),
            (
                "kms encrypt --socket /s --timeout 3", #"kms: --timeout "3" is not a time from 1ms to 10m"#,
                "a whole number and a unit (ms, s, m, h), such as 10s"
            ),
            (
                "kms encrypt --socket /s secret", #"kms: "secret" is one argument too many"#, "see trousseau help kms"
            ),
            (
                "bench --socket /s --operation all2", #"bench: --operation "all2" is not known"#,
                "one of: status, encrypt, decrypt, all, v1-encrypt, v1-decrypt"
            ),
            (
                "bench --socket /s --concurrency 0", #"bench: --concurrency "0" is not a number from 1 to 4096"#,
                "see trousseau help bench"
            ),
            (
                "bench --socket /s --connections 2 --concurrency 1", "bench: 2 connections, but a concurrency of 1",
                "a connection needs a call"
            ),
            (
                "bench --socket /s --pid x", #"bench: --pid "x" is not a number from 1 to 2147483647"#,
                "see trousseau help bench"
            ),
        ])
    func refusals(_ text: String, _ message: String, _ hint: String) {
        let failure = failure(text)
        #expect(failure?.code == .usage)
        #expect(failure?.message == message)
        #expect(failure?.hint == hint)
    }

    @Test("never takes a text as one that is not shown as it is")
    func quoting() {
        #expect(failure("\u{1b}[2J")?.text == "trousseau: unknown command \"\\u{1B}[2J\"\n  see trousseau help\n")
    }

    @Test("is explained by a usage text a command, in at most 120 columns", arguments: Usage.Topic.allCases)
    func usage(_ topic: Usage.Topic) {
        let text = Usage.text(topic)
        #expect(text.hasPrefix("usage: trousseau "))
        #expect(text.hasSuffix("\n"))
        for line in text.split(separator: "\n") {
            #expect(line.count <= 120)
            #expect(!line.hasSuffix(" "))
        }
        if topic != .overview { #expect(Usage.text(.overview).contains("\n  \(topic.rawValue)")) }
    }
}
