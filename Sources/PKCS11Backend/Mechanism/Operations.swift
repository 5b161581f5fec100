internal import CP11Kit
internal import Crypto
internal import Keyring

/// Encryption and decryption in one part, whatever the mechanism.
extension Session {
    /// C_EncryptInit and C_Encrypt; the output, of at most `room` bytes. No call only to ask for the length.
    func encrypt(
        _ plaintext: UnsafeRawBufferPointer, room: Int, _ mechanism: UnsafeMutablePointer<CK_MECHANISM>,
        _ key: SealingKey
    ) throws(PKCS11Error) -> [UInt8] {
        var output = [UInt8](repeating: 0, count: room)
        var count = CK_ULONG(room)
        let input = UnsafeMutablePointer(mutating: plaintext.assumingMemoryBound(to: UInt8.self).baseAddress)
        try module.call("C_EncryptInit") { $0.pointee.C_EncryptInit?(handle, mechanism, key.handle) }
        try finishing("C_Encrypt") {
            $0.pointee.C_Encrypt?(handle, input, CK_ULONG(plaintext.count), &output, &count)
        }
        guard count <= CK_ULONG(room) else { throw Session.overrun("C_Encrypt", count) }
        return Array(output.prefix(Int(count)))
    }

    /// C_DecryptInit and C_Decrypt; the output, never longer than the ciphertext.
    func decrypt(
        _ ciphertext: [UInt8], _ mechanism: UnsafeMutablePointer<CK_MECHANISM>, _ key: SealingKey
    ) throws(PKCS11Error) -> SecretBytes {
        var input = ciphertext
        let inputCount = CK_ULONG(input.count)
        return try Session.secret(capacity: ciphertext.count) { (memory) throws(PKCS11Error) in
            var count = CK_ULONG(memory.count)
            let output = memory.assumingMemoryBound(to: UInt8.self).baseAddress
            try module.call("C_DecryptInit") { $0.pointee.C_DecryptInit?(handle, mechanism, key.handle) }
            try finishing("C_Decrypt") { $0.pointee.C_Decrypt?(handle, &input, inputCount, output, &count) }
            guard count <= CK_ULONG(memory.count) else { throw Session.overrun("C_Decrypt", count) }
            return Int(count)
        }
    }

    /// The call that ends an operation.
    private func finishing(
        _ name: String, _ body: (UnsafeMutablePointer<CK_FUNCTION_LIST>) -> CK_RV?
    ) throws(PKCS11Error) {
        do throws(PKCS11Error) {
            try module.call(name, body)
        } catch {
            markUnsettled()
            throw error
        }
    }

    /// Memory for a secret, filled by `body`, which returns how many bytes it wrote.
    static func secret(
        capacity: Int, _ body: (UnsafeMutableRawBufferPointer) throws(PKCS11Error) -> Int
    ) throws(PKCS11Error) -> SecretBytes {
        do {
            return try SecretBytes(capacity: capacity) { try body($0) }
        } catch let error as PKCS11Error {
            throw error
        } catch {
            throw PKCS11Error(.local, "memory for a secret: \(error)", errorClass: .retry)
        }
    }

    static func overrun(_ call: String, _ count: CK_ULONG) -> PKCS11Error {
        PKCS11Error(.call, "\(call): \(count) bytes, more than there is room for", errorClass: .permanent)
    }
}
