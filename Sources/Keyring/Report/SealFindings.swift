/// What `doctor` says of the seals in a keyring's files: whether they are those that a backend would make today.
public enum SealFindings {
    /// Compares the files with what the backend says of its key. Takes no lock and changes nothing; says nothing about
    /// files that cannot be read or a backend that does not answer, which others do.
    public static func make(
        directory: String, backend: any SealingBackend, until: ContinuousClock.Instant
    ) async -> [Finding] {
        let stored: StoredKeyring
        let (shared, local): ([Recipient], [Recipient])
        do {
            stored = try KeyringStore.open(directory, readOnly: true).load()
            shared = try await backend.recipients(generateMissingKey: false, until: until)
            local = try await backend.localRecipients(until: until)
        } catch {
            return []
        }
        var findings: [Finding] = []
        for record in stored.records.sorted(by: { $0.record.identity.generation < $1.record.identity.generation }) {
            let kekID = record.record.identity.kekID
            let name = "seals of KEK \(kekID)"
            let seals =
                stored.localSeals(of: kekID).map { ($0, true) } + record.record.liveSeals.map { ($0, false) }
            for (seal, isLocal) in seals where backend.serves(seal.recipient) {
                let currency = SealCurrency(seal.recipient, isLocal: isLocal, shared: shared, local: local)
                guard let problem = currency?.problem(backend) else { continue }
                findings.append(
                    Finding(
                        currency == .unguarded ? .error : .warning, name,
                        "\(seal.recipient.id)\(isLocal ? ", this node's" : "") is outdated: \(problem)"))
            }
        }
        return findings
    }
}
