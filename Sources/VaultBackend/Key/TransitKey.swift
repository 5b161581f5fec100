internal import Keyring

/// What Vault says about a transit key.
struct TransitKey: Sendable, Equatable {
    /// `aes256-gcm96`.
    let type: String
    let latestVersion: Int
    let minimumDecryptionVersion: Int
    let isExportable: Bool
    let allowsPlaintextBackup: Bool
    let isDeletable: Bool
    let isDerived: Bool
    let isConvergent: Bool
    let wasImported: Bool
    /// Of OpenBao: deleted, but for its material.
    let isSoftDeleted: Bool
    /// When each version was made, in seconds since 1970. Vault shows only those from the minimum version on.
    let created: [Int: Int64]

    /// - Throws: `answer`; a type whose versions are shown otherwise has none.
    init(_ answer: VaultAnswer, _ call: String) throws(VaultError) {
        guard let data = answer.data, let type = data["type"]?.text, let latest = data["latest_version"]?.integer,
            latest > 0, let versions = data["keys"]
        else {
            throw VaultError(
                .answer, "\(call): the answer describes no key", hint: "is the mount a transit engine?",
                errorClass: .operatorMustAct)
        }
        self.type = ServerText.shorten(type)
        latestVersion = latest
        minimumDecryptionVersion = data["min_decryption_version"]?.integer ?? 1
        isExportable = try TransitKey.flag("exportable", data, call)
        allowsPlaintextBackup = try TransitKey.flag("allow_plaintext_backup", data, call)
        isDeletable = data["deletion_allowed"]?.bool ?? false
        isDerived = try TransitKey.flag("derived", data, call)
        isConvergent = data["convergent_encryption"]?.bool ?? false
        wasImported = data["imported_key"]?.bool ?? false
        isSoftDeleted = data["soft_deleted"]?.bool ?? false
        var created: [Int: Int64] = [:]
        for (name, value) in versions.members {
            guard let version = Int(name), let time = value.integer else { continue }
            created[version] = Int64(time)
        }
        self.created = created
    }

    /// What every Vault says since 0.9: a key is not taken for safe because nobody says that it is not.
    private static func flag(
        _ name: String, _ data: JSONDocument.Value, _ call: String
    ) throws(VaultError) -> Bool {
        guard let flag = data[name]?.bool else {
            throw VaultError(
                .answer, "\(call): the answer does not say whether the key is \(name)",
                hint: "is the mount a transit engine, of Vault 1.4 or later?", errorClass: .operatorMustAct)
        }
        return flag
    }

    /// The oldest version that Vault shows, and when it was made.
    var oldest: (version: Int, created: Int64)? {
        created.min { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    /// Whether it shows versions that were shown before, each made when it was then.
    func continues(_ known: [Int: Int64]) -> Bool {
        let common = known.filter { created[$0.key] != nil }
        return !common.isEmpty && common.allSatisfy { created[$0.key] == $0.value }
    }

    /// Types that encrypt and authenticate, with keys of 256 bits, and of fewer.
    private static let strong: Set<String> = ["aes256-gcm96", "chacha20-poly1305", "xchacha20-poly1305"]
    private static let weaker: Set<String> = ["aes128-gcm96"]

    /// Why nothing may be sealed to it; the first reason, and what to do.
    var refusal: (reason: String, hint: String)? {
        let hint = "make another key, of type aes256-gcm96 and neither exportable nor derived"
        if isSoftDeleted { return ("was deleted", "restore it, or make another key") }
        if isExportable { return ("is exportable: whoever may read it opens every seal without Vault", hint) }
        if allowsPlaintextBackup { return ("allows plaintext backups, which hold the key itself", hint) }
        guard TransitKey.strong.contains(type) || TransitKey.weaker.contains(type) else {
            return ("is of type \(type), which does not encrypt and authenticate by a secret key", hint)
        }
        if isDerived || isConvergent { return ("is derived or convergent", hint) }
        guard oldest != nil else { return ("has no version with a creation time", hint) }
        return nil
    }

    /// What an operator should know, and what to do about it.
    func warnings(_ path: String) -> [(reason: String, hint: String)] {
        var warnings: [(String, String)] = []
        if isDeletable {
            warnings.append(
                (
                    "may be deleted, and every seal with it",
                    "vault write \(path)/config deletion_allowed=false"
                ))
        }
        if wasImported { warnings.append(("was imported: copies of it may exist", "prefer a key that Vault has made")) }
        if TransitKey.weaker.contains(type) {
            warnings.append(("has 128 bits, a KEK has 256", "prefer a key of type aes256-gcm96"))
        }
        return warnings
    }
}
