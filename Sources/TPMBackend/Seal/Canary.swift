internal import Crypto
internal import Keyring

/// Something sealed only to see whether the TPM still seals and opens; without a policy and a PIN, which are about the
/// node's state and not about the TPM.
struct Canary: Sendable {
    private let seal: TPMSeal
    private let description: RecipientDescription
    /// 32 bytes that protect nothing.
    private let plaintext: [UInt8]

    /// Makes one: two commands.
    init(_ key: StorageKey, _ context: ESYSContext) throws(TPMError) {
        do {
            plaintext = try Random.bytes(32)
        } catch {
            throw TPMError(.local, "canary: \(error)", errorClass: .retry)
        }
        description = RecipientDescription(.local(name: key.name))
        let template = TPMSeal.template(description)
        let bytes = plaintext
        let object = bytes.withUnsafeBytes { bytes in
            Result { () throws(TPMError) in try context.create(bytes, template: template, under: key) }
        }
        seal = try TPMSeal(local: TSS2PEM(object.get(), emptyAuth: true).encoded, description)
    }

    /// Opens it: four commands.
    func check(_ key: StorageKey, _ context: ESYSContext) throws(TPMError) {
        let opened = try SealOpening(
            context: context, key: key, description: description, policy: .none, pin: nil, until: .now
        ).open(seal)
        let isRight = opened.withUnsafeBytes { ConstantTime.equal(Array($0), plaintext) }
        guard isRight else { throw TPMSeal.doesNotOpen }
    }
}
