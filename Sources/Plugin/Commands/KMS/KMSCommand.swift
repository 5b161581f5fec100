internal import Configuration
internal import Crypto
internal import KMSServer

/// `trousseau kms`.
enum KMSCommand {
    static func run(_ options: Command.KMS) throws(CommandFailure) -> ExitCode {
        // The caller's own plaintext is no reason to insist on locked memory, as a plugin does.
        do throws(CryptoError) {
            try SecureHeap.initialize(allowUnlocked: true)
        } catch {
            throw failure(options, "\(error)")
        }
        // Before it connects: whoever types the input holds no connection meanwhile.
        switch options.operation {
        case .status:
            try status(options)
        case .encrypt:
            try encrypt(options, try KMSInput.plaintext(options))
        case .decrypt:
            try decrypt(options, try KMSInput.sealed(options))
        }
        return .success
    }

    private static func status(_ options: Command.KMS) throws(CommandFailure) {
        let client = try connect(options)
        switch options.api {
        case .v2:
            let answer = try ask(options) { () throws(ClientError) in try client.status() }
            try print(
                options,
                [("api", "v2"), ("version", answer.version), ("healthz", answer.healthz), ("keyID", answer.keyID)])
            try check(options, "Status", answer.violations)
            guard answer.isHealthy else {
                throw failure(options, "the plugin is not healthy: \(Quoted.text(answer.healthz))")
            }
        case .v1:
            let answer = try ask(options) { () throws(ClientError) in try client.v1Version() }
            try print(
                options,
                [
                    ("api", "v1"), ("version", answer.version), ("runtimeName", answer.runtimeName),
                    ("runtimeVersion", answer.runtimeVersion),
                ])
            try check(options, "Version", answer.violations)
        }
    }

    private static func encrypt(_ options: Command.KMS, _ plaintext: borrowing SecretBytes) throws(CommandFailure) {
        let client = try connect(options)
        let sealed: SealedText
        switch options.api {
        case .v2: sealed = try encryptV2(options, client, plaintext)
        case .v1:
            let answer = try ask(options) { () throws(ClientError) in try client.v1Encrypt(plaintext) }
            try check(options, "Encrypt", answer.violations)
            sealed = SealedText(api: .v1, ciphertext: answer.cipher)
        }
        try KMSOutput.write(options, options.output == .json ? sealed.json.text : sealed.text)
    }

    /// As kube-apiserver: it asks for Status first, and discards an answer under another key_id.
    private static func encryptV2(
        _ options: Command.KMS, _ client: KMSClient, _ plaintext: borrowing SecretBytes
    ) throws(CommandFailure) -> SealedText {
        var expected = try statusKeyID(options, client)
        let answer = try ask(options) { () throws(ClientError) in try client.encrypt(plaintext) }
        try check(options, "Encrypt", answer.violations)
        // A rotation may have come between the two.
        if answer.keyID != expected { expected = try statusKeyID(options, client) }
        guard answer.keyID == expected else {
            let names = "Status \(Quoted.text(expected)), Encrypt \(Quoted.text(answer.keyID))"
            throw refusal(options, "Encrypt", "its key_id is not the one of Status: \(names)")
        }
        return SealedText(
            api: .v2, ciphertext: answer.ciphertext, keyID: answer.keyID,
            annotations: answer.annotations.map { SealedText.Annotation(name: $0.key, value: $0.value) })
    }

    private static func statusKeyID(_ options: Command.KMS, _ client: KMSClient) throws(CommandFailure) -> String {
        let status = try ask(options) { () throws(ClientError) in try client.status() }
        try check(options, "Status", status.violations)
        return status.keyID
    }

    private static func decrypt(_ options: Command.KMS, _ sealed: SealedText) throws(CommandFailure) {
        guard sealed.api == options.api else {
            throw failure(
                options, "the input was encrypted by KMS \(sealed.api.rawValue)",
                hint: "add --api \(sealed.api.rawValue)")
        }
        let client = try connect(options)
        let plaintext: SecretBytes
        do throws(ClientError) {
            switch options.api {
            case .v2:
                plaintext = try client.decrypt(
                    sealed.ciphertext, keyID: sealed.keyID ?? "",
                    annotations: sealed.annotations.map { KMSAnnotation(key: $0.name, value: $0.value) })
            case .v1: plaintext = try client.v1Decrypt(sealed.ciphertext)
            }
        } catch {
            throw failure(options, error)
        }
        try KMSOutput.write(options, plaintext)
    }

    private static func connect(_ options: Command.KMS) throws(CommandFailure) -> KMSClient {
        try ask(options) { () throws(ClientError) in
            try KMSClient(socket: options.socket, timeout: options.timeout)
        }
    }

    private static func ask<Answer>(
        _ options: Command.KMS, _ call: () throws(ClientError) -> Answer
    ) throws(CommandFailure) -> Answer {
        do throws(ClientError) {
            return try call()
        } catch {
            throw failure(options, error)
        }
    }

    private static func check(
        _ options: Command.KMS, _ method: String, _ violations: [String]
    ) throws(CommandFailure) {
        guard let first = violations.first else { return }
        throw refusal(options, method, first, violations.dropFirst())
    }

    /// An answer that breaks the contract; each violation in a line of its own.
    private static func refusal(
        _ options: Command.KMS, _ method: String, _ first: String, _ others: ArraySlice<String> = []
    ) -> CommandFailure {
        CommandFailure(
            .failure,
            "kms \(options.operation.rawValue): \(method): kube-apiserver would refuse the answer: \(first)",
            details: others.map { "  also \($0)" })
    }

    private static func print(_ options: Command.KMS, _ members: [(name: String, value: String)]) throws(CommandFailure)
    {
        switch options.output {
        case .json:
            let object = JSONValue.object(members.map { JSONValue.Member(name: $0.name, value: .string($0.value)) })
            try KMSOutput.write(options, object.text)
        case .text:
            try KMSOutput.write(options, KMSOutput.lines(members))
        }
    }

    static func failure(_ options: Command.KMS, _ message: String, hint: String? = nil) -> CommandFailure {
        CommandFailure(.failure, "kms \(options.operation.rawValue): \(message)", hint: hint)
    }

    private static func failure(_ options: Command.KMS, _ error: ClientError) -> CommandFailure {
        CommandFailure(
            error.code == .notReachable ? .notRunning : .failure,
            "kms \(options.operation.rawValue): \(error.message)", hint: error.hint)
    }
}
