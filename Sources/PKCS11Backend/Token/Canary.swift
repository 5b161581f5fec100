internal import Crypto
internal import Keyring

/// Something sealed only to see whether the key still seals and opens.
struct Canary: Sendable {
    private static let context = Array("trousseau pkcs11 canary".utf8)

    private let seal: PKCS11Seal
    /// 32 bytes that protect nothing.
    private let plaintext: [UInt8]

    /// Makes one: a seal, no opening.
    init(_ use: Token.Use, by mechanism: any SealingMechanism) throws(PKCS11Error) {
        do {
            plaintext = try Random.bytes(32)
        } catch {
            throw PKCS11Error(.local, "canary: \(error)", errorClass: .retry)
        }
        let bytes = plaintext
        let made = bytes.withUnsafeBytes { bytes in
            Result { () throws(PKCS11Error) in
                try mechanism.seal(bytes, context: Canary.context, use.session, use.key)
            }
        }
        seal = try made.get()
    }

    /// Opens it once.
    func check(_ use: Token.Use) throws(PKCS11Error) {
        let opened = try SealingMechanisms.named(seal).open(seal, context: Canary.context, use.session, use.key)
        let isRight = opened.withUnsafeBytes { ConstantTime.equal(Array($0), plaintext) }
        guard isRight else { throw PKCS11Seal.doesNotOpen }
    }

    /// Makes one and opens it.
    static func roundTrip(_ use: Token.Use, by mechanism: any SealingMechanism) throws(PKCS11Error) {
        try Canary(use, by: mechanism).check(use)
    }
}
