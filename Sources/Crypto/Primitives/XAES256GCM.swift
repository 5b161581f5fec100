internal import COpenSSL
internal import Synchronization

/// XAES-256-GCM (C2SP, https://c2sp.org/XAES-256-GCM): AES-256-GCM under a key derived from 12 of its 24 nonce bytes,
/// so that random nonces are safe for as many messages as one will ever have.
public final class XAES256GCM: Sendable {
    /// 32 bytes.
    public static let keySize = 32
    /// 24 bytes.
    public static let nonceSize = 24
    /// 16 bytes.
    public static let tagSize = 16

    // Setting contexts up costs more than the encryption itself, so one set is kept, and used by one caller at a time.
    private let workspace: Mutex<Workspace>

    /// - Throws: `invalidLength` unless the key has 32 bytes.
    public init(key: borrowing SecretBytes) throws(CryptoError) {
        workspace = Mutex(try Workspace(key: key))
    }

    /// Encrypts.
    ///
    /// - Parameters:
    ///   - nonce: 24 bytes, random or otherwise never used twice.
    ///   - output: as long as the plaintext, and 16 bytes for the tag.
    /// - Throws: `invalidLength`, or `library`.
    public func seal(
        _ plaintext: UnsafeRawBufferPointer, nonce: UnsafeRawBufferPointer, aad: UnsafeRawBufferPointer,
        into output: UnsafeMutableRawBufferPointer
    ) throws(CryptoError) {
        guard output.count == plaintext.count + XAES256GCM.tagSize else {
            throw CryptoError(.invalidLength, "XAES256GCM.seal", detail: "output")
        }
        try locked { (workspace) throws(CryptoError) in
            try workspace.begin(.encrypt, nonce: nonce, aad: aad)
            try workspace.gcm.update(plaintext, into: output.baseAddress)
            guard workspace.gcm.finish() else { throw CryptoError(.library, "EVP_CipherFinal_ex") }
            try workspace.gcm.getTag(UnsafeMutableRawBufferPointer(rebasing: output[plaintext.count...]))
        }
    }

    /// Decrypts.
    ///
    /// - Parameters:
    ///   - ciphertext: with the 16 bytes of the tag at its end.
    ///   - output: as long as the ciphertext without the tag; wiped when this throws.
    /// - Throws: `authenticationFailed` when anything was altered, `invalidLength`, or `library`.
    public func open(
        _ ciphertext: UnsafeRawBufferPointer, nonce: UnsafeRawBufferPointer, aad: UnsafeRawBufferPointer,
        into output: UnsafeMutableRawBufferPointer
    ) throws(CryptoError) {
        let count = ciphertext.count - XAES256GCM.tagSize
        guard count >= 0, output.count == count else { throw CryptoError(.invalidLength, "XAES256GCM.open") }
        do throws(CryptoError) {
            try locked { (workspace) throws(CryptoError) in
                try workspace.begin(.decrypt, nonce: nonce, aad: aad)
                try workspace.gcm.update(
                    UnsafeRawBufferPointer(rebasing: ciphertext[..<count]), into: output.baseAddress)
                try workspace.gcm.setTag(UnsafeRawBufferPointer(rebasing: ciphertext[count...]))
                guard workspace.gcm.finish() else {
                    throw CryptoError(.authenticationFailed, "XAES256GCM.open")
                }
            }
        } catch {
            SecretBytes.wipe(output)
            throw error
        }
    }

    private func locked(_ body: (borrowing Workspace) throws(CryptoError) -> Void) throws(CryptoError) {
        try workspace.withLock { (workspace: inout Workspace) throws(CryptoError) in try body(workspace) }
    }
}

/// The contexts of one XAES-256-GCM key.
private struct Workspace: ~Copyable {
    /// AES-256-ECB under the key itself, for the derivation.
    private let ecb: CipherContext
    let gcm: CipherContext
    /// The CMAC subkey K1 (16 bytes), the two derivation blocks (32), the derived key (32).
    private let scratch: SecretScratch

    private static let subkey = 0..<16
    private static let blocks = 16..<48
    private static let derivedKey = 48..<80

    init(key: borrowing SecretBytes) throws(CryptoError) {
        guard key.count == XAES256GCM.keySize else { throw CryptoError(.invalidLength, "XAES256GCM", detail: "key") }
        let library = try Library.shared()
        let ecb = try CipherContext()
        try key.withUnsafeBytes { (key) throws(CryptoError) in
            try ecb.initialize(library.aes256ECB, key: key.baseAddress, iv: nil, .encrypt)
        }
        ecb.disablePadding()
        let gcm = try CipherContext()
        try gcm.initialize(library.aes256GCM, key: nil, iv: nil, .encrypt)
        let scratch = try SecretScratch(count: 80)
        // L = AES(K, 0¹²⁸); K1 = L·x in GF(2¹²⁸), without a branch on the secret bit.
        let k1 = UnsafeMutableRawBufferPointer(rebasing: scratch.bytes[Workspace.subkey])
        try ecb.update(UnsafeRawBufferPointer(k1), into: k1.baseAddress)
        let carry = k1[0] >> 7
        for i in 0..<15 { k1[i] = k1[i] << 1 | k1[i + 1] >> 7 }
        k1[15] = k1[15] << 1 ^ carry &* 0x87
        self.ecb = ecb
        self.gcm = gcm
        self.scratch = scratch
    }

    /// Derives the message key from the nonce's first half, and starts GCM with its second.
    borrowing func begin(
        _ direction: CipherContext.Direction, nonce: UnsafeRawBufferPointer, aad: UnsafeRawBufferPointer
    ) throws(CryptoError) {
        guard nonce.count == XAES256GCM.nonceSize, let nonceBytes = nonce.baseAddress else {
            throw CryptoError(.invalidLength, "XAES256GCM", detail: "nonce")
        }
        let k1 = part(Workspace.subkey)
        let blocks = part(Workspace.blocks)
        let derived = part(Workspace.derivedKey)
        // The blocks are [counter]₁₆ ‖ "X" ‖ 0x00 ‖ nonce[0..<12], exclusive-or K1.
        for counter in 1...2 {
            let at = (counter - 1) * 16
            blocks[at] = 0
            blocks[at + 1] = UInt8(counter)
            blocks[at + 2] = 0x58
            blocks[at + 3] = 0
            for i in 0..<12 { blocks[at + 4 + i] = nonce[i] }
            for i in 0..<16 { blocks[at + i] ^= k1[i] }
        }
        try ecb.update(UnsafeRawBufferPointer(blocks), into: derived.baseAddress)
        defer { SecretBytes.wipe(derived) }
        try gcm.initialize(nil, key: derived.baseAddress, iv: nonceBytes + 12, direction)
        try gcm.update(aad, into: nil)
    }

    private borrowing func part(_ range: Range<Int>) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(rebasing: scratch.bytes[range])
    }
}
