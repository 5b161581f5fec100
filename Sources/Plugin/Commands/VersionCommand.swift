/// `trousseau version`.
enum VersionCommand {
    static func run(_ format: OutputFormat) -> ExitCode {
        switch format {
        case .text:
            StandardStreams.write("trousseau \(Trousseau.version)\n")
        case .json:
            let formats: [JSONValue] = [.integer(1)]
            let value = JSONValue.members(
                ("version", .string(Trousseau.version)), ("kms", .array([.string("v2"), .string("v1beta1")])),
                ("ciphertextVersions", .array(formats)))
            StandardStreams.write(value.text)
        }
        return .success
    }
}
