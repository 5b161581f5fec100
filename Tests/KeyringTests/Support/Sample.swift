import Crypto
import Keyring

/// Fixed values to test the formats with.
enum Sample {
    static let keyringID: [UInt8] = Array(0xa0...0xaf)

    static func keyring(_ name: String = "prod") throws -> KeyringIdentity {
        try KeyringIdentity(keyringID: keyringID, name: name)
    }

    /// The KEK whose bytes count up from `first`.
    static func kek(_ first: UInt8) throws -> KEK {
        try kek((0..<32).map { first &+ $0 })
    }

    static func kek(_ bytes: [UInt8]) throws -> KEK {
        // A machine with a small limit of locked memory can still run the tests.
        try SecureHeap.initialize(allowUnlocked: true)
        return try bytes.withUnsafeBytes { try KEK(SecretBytes(copying: $0)) }
    }

    static func identity(
        _ kek: KEK, generation: UInt64 = 1, voucherFloor: UInt64 = 0, keyring: KeyringIdentity? = nil
    ) throws -> Identity {
        try Identity(
            kekID: kek.id, keyring: try keyring ?? self.keyring(), generation: generation, created: 1_764_000_000,
            voucherFloor: voucherFloor)
    }

    static func recipient(_ id: String, description: [UInt8] = [1, 2, 3]) -> Recipient {
        Recipient(id: id, kind: String(id.prefix { $0 != ":" }), description: description)
    }

    /// A seal that is the KEK's bytes, each exclusive-or 0x5a.
    static func seal(_ kek: KEK, to id: String) -> Seal {
        let bytes = kek.withUnsafeBytes { $0.map { $0 ^ 0x5a } }
        return Seal(recipient: recipient(id), kekID: kek.id, bytes: bytes)
    }

    /// Opens what `seal` makes.
    static func open(_ seal: Seal) throws -> KEK {
        try kek(seal.bytes.map { $0 ^ 0x5a })
    }

    static func record(
        _ kek: KEK, generation: UInt64 = 1, voucherFloor: UInt64 = 0, recipients: [String] = ["pkcs11:aa", "vault:bb"],
        vouchedBy: [(kek: KEK, generation: UInt64)] = []
    ) throws -> Record {
        try Record.make(
            kek: kek, keyring: keyring(), generation: generation, created: 1_764_000_000, voucherFloor: voucherFloor,
            seals: recipients.map { seal(kek, to: $0) }, vouchedBy: vouchedBy)
    }
}

/// Every byte string that differs from `bytes` in one bit, is shorter, or has one more byte.
func everyDamage(_ bytes: [UInt8]) -> [[UInt8]] {
    var damaged: [[UInt8]] = (0..<bytes.count).map { Array(bytes.prefix($0)) }
    for index in bytes.indices {
        for bit in 0..<8 {
            var copy = bytes
            copy[index] ^= 1 << UInt8(bit)
            damaged.append(copy)
        }
    }
    for byte in UInt8.min...UInt8.max { damaged.append(bytes + [byte]) }
    return damaged
}

/// The `FormatError` that `body` throws, or nil.
func formatError(_ body: () throws -> Void) -> FormatError? {
    do {
        try body()
        return nil
    } catch {
        return error as? FormatError
    }
}
