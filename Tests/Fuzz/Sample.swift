@testable internal import Crypto
@testable internal import Keyring

/// Fixed keys and what they make, to begin with.
enum Sample {
    static let keyringID = [UInt8](0xa0...0xaf)

    static func keyring() throws -> KeyringIdentity { try KeyringIdentity(keyringID: keyringID, name: "prod") }

    /// The KEK whose bytes count up from `first`.
    static func kek(_ first: UInt8) throws -> KEK {
        try [UInt8](first..<(first + 32)).withUnsafeBytes { try KEK(SecretBytes(copying: $0)) }
    }

    static func seal(_ kek: KEK, to id: String) -> Seal {
        let recipient = Recipient(id: id, kind: String(id.prefix { $0 != ":" }), description: [1, 2, 3])
        return Seal(recipient: recipient, kekID: kek.id, bytes: [UInt8](repeating: 0x5a, count: 40))
    }

    /// A record with two seals, a tombstone, and a voucher unless it is the first generation.
    static func record(generation: UInt64 = 1) throws -> Record {
        let kek = try kek(UInt8(generation))
        let seals = ["pkcs11:aa", "vault:bb", "tpm:cc"].map { seal(kek, to: $0) }
        let record = try Record.make(
            kek: kek, keyring: keyring(), generation: generation, created: 1_764_000_000, voucherFloor: 0, seals: seals,
            vouchedBy: generation > 1 ? [(try Sample.kek(UInt8(generation - 1)), generation - 1)] : [])
        return try record.removing("tpm:cc", under: kek)
    }
}
