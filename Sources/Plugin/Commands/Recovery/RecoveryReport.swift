internal import Crypto
internal import Keyring

/// What `trousseau recover` prints.
struct RecoveryReport {
    private let recovered: RecoveredKeyring
    private let directory: String

    init(_ recovered: RecoveredKeyring, directory: String) {
        self.recovered = recovered
        self.directory = directory
    }

    /// For people.
    var text: String {
        var found = Table("GENERATION", "KEK", "RESULT", "OPENED BY", "REASON")
        for kek in recovered.keks {
            found.add(
                "\(kek.generation)", kek.kekID.description, RecoveryReport.word(kek.outcome), kek.openedBy ?? "",
                kek.reason ?? "")
        }
        var seals = Table("GENERATION", "RECIPIENT", "BACKEND", "SEAL", "PROBLEM")
        for kek in recovered.keks {
            for seal in kek.seals { add(seal, kek.generation, to: &seals) }
        }
        for seal in recovered.seals { add(seal, recovered.generation, to: &seals) }
        var text = """
            keyring \(recovered.keyring.name) recovered into \(directory)

            \(found.text)
            \(seals.text)
            """
        for file in recovered.unused { text += PrintableText.escaped("not used: \(file.file): \(file.reason)") + "\n" }
        let lost = recovered.keks.filter { $0.outcome != .recovered }
        if !lost.isEmpty {
            text += "\nWhat was encrypted under the KEKs that are not recovered cannot be read. Keep their files.\n"
        }
        return text + """

            Generation \(recovered.generation) is new and encrypts; the recovered KEKs only decrypt.
            key_id: \(recovered.keyID.text)

            Keep the new key_id with the old one. Take the private key off this machine again.

            """
    }

    private func add(_ seal: SealReport, _ generation: UInt64, to table: inout Table) {
        table.add(
            "\(generation)", seal.recipientID ?? seal.kind, seal.backend ?? "",
            seal.state.rawValue + (seal.isLocal ? ", this node's" : ""),
            seal.problem ?? "")
    }

    private static func word(_ outcome: RecoveredKEK.Outcome) -> String {
        switch outcome {
        case .recovered: "recovered"
        case .notOpened: "not opened"
        case .altered: "altered"
        case .notTrusted: "not trusted"
        }
    }

    /// For programs.
    var json: JSONValue {
        .members(
            ("keyring", .string(recovered.keyring.name)), ("directory", .string(directory)),
            ("keyID", .string(recovered.keyID.text)), ("kekID", .string(recovered.kekID.description)),
            ("generation", .integer(Int64(clamping: recovered.generation))),
            ("seals", .array(recovered.seals.map(StatusJSON.seal))),
            ("keks", .array(recovered.keks.map(RecoveryReport.kek))),
            (
                "unusedFiles",
                .array(recovered.unused.map { .members(("file", .string($0.file)), ("reason", .string($0.reason))) })
            ))
    }

    private static func kek(_ kek: RecoveredKEK) -> JSONValue {
        .members(
            ("generation", .integer(Int64(clamping: kek.generation))), ("kekID", .string(kek.kekID.description)),
            ("result", .string(kek.outcome.rawValue)), ("openedBy", kek.openedBy.map(JSONValue.string)),
            ("reason", kek.reason.map(JSONValue.string)), ("files", .array(kek.files.map(JSONValue.string))),
            ("seals", .array(kek.seals.map(StatusJSON.seal))))
    }
}
