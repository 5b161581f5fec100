internal import Keyring

/// A seal is Vault's own string, as `vault write transit/decrypt/KEY ciphertext=…` takes it: `vault:v3:` and base64. Its
/// first word may be another one in forks, so only its form is checked. Frozen: docs/formats.md.
struct VaultSeal: Sendable, Equatable {
    /// As `Seal.bytes` allows.
    static let limit = 2048

    let text: String

    /// - Throws: `seal`.
    init(_ bytes: [UInt8]) throws(VaultError) {
        guard 1...VaultSeal.limit ~= bytes.count else { throw VaultSeal.error("it has \(bytes.count) bytes") }
        // What a quote or a line's end would do in JSON, or be skipped by a decoder, is no matter then.
        let isSound = bytes.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != 0x22 && $0 != 0x5c }
        guard isSound else { throw VaultSeal.error("it is no string of Vault's") }
        text = String(decoding: bytes, as: UTF8.self)
        guard let version, version > 0 else { throw VaultSeal.error("it names no key version") }
    }

    var encoded: [UInt8] { Array(text.utf8) }

    /// The key's version that made it: the number in the last `:v<number>:`.
    var version: Int? {
        for part in text.split(separator: ":", omittingEmptySubsequences: false).dropLast().reversed() {
            guard part.hasPrefix("v"), let number = Int(part.dropFirst()), "v\(number)" == part else { continue }
            return number
        }
        return nil
    }

    static func error(_ message: String, hint: String? = nil) -> VaultError {
        VaultError(.seal, "vault seal: \(message)", hint: hint, errorClass: .permanent)
    }

    /// "Does not open" and "opens to something else" are one error: nobody learns which.
    static let doesNotOpen = VaultError(.seal, "vault seal: it does not open with this key", errorClass: .permanent)
}
