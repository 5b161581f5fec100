internal import COpenSSL

/// One EVP_CIPHER_CTX: freed with everything in it wiped.
struct CipherContext: ~Copyable {
    private let raw: OpaquePointer

    init() throws(CryptoError) {
        guard let raw = EVP_CIPHER_CTX_new() else { throw .library("EVP_CIPHER_CTX_new") }
        self.raw = raw
    }

    deinit { EVP_CIPHER_CTX_free(raw) }

    enum Direction: CInt { case decrypt = 0, encrypt = 1 }

    /// Sets cipher, key and IV. Nil leaves what was set before.
    borrowing func initialize(
        _ cipher: OpaquePointer?, key: UnsafeRawPointer?, iv: UnsafeRawPointer?, _ direction: Direction
    ) throws(CryptoError) {
        guard
            EVP_CipherInit_ex2(
                raw, cipher, key?.assumingMemoryBound(to: UInt8.self), iv?.assumingMemoryBound(to: UInt8.self),
                direction.rawValue, nil) == 1
        else { throw .library("EVP_CipherInit_ex2") }
    }

    borrowing func disablePadding() {
        EVP_CIPHER_CTX_set_padding(raw, 0)
    }

    /// Feeds `input` (associated data when `output` is nil); the output is as long as the input.
    borrowing func update(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawPointer?) throws(CryptoError) {
        guard let count = CInt(exactly: input.count) else { throw CryptoError(.invalidLength, "EVP_CipherUpdate") }
        guard count > 0 else { return }
        var written: CInt = 0
        guard
            EVP_CipherUpdate(
                raw, output?.assumingMemoryBound(to: UInt8.self), &written,
                input.assumingMemoryBound(to: UInt8.self).baseAddress, count) == 1, written == count
        else { throw .library("EVP_CipherUpdate") }
    }

    /// Ends the operation: true, or false when the tag of a decryption does not fit.
    borrowing func finish() -> Bool {
        var none: (UInt64, UInt64) = (0, 0)
        var written: CInt = 0
        let finished = withUnsafeMutableBytes(of: &none) { none in
            EVP_CipherFinal_ex(raw, none.assumingMemoryBound(to: UInt8.self).baseAddress, &written)
        }
        if finished == 1 && written == 0 { return true }
        // A wrong tag is no error of libcrypto's; what it may have queued must not surface in somebody else's.
        ERR_clear_error()
        return false
    }

    borrowing func getTag(_ tag: UnsafeMutableRawBufferPointer) throws(CryptoError) {
        guard EVP_CIPHER_CTX_ctrl(raw, EVP_CTRL_AEAD_GET_TAG, CInt(tag.count), tag.baseAddress) == 1 else {
            throw .library("EVP_CTRL_AEAD_GET_TAG")
        }
    }

    borrowing func setTag(_ tag: UnsafeRawBufferPointer) throws(CryptoError) {
        let pointer = UnsafeMutableRawPointer(mutating: tag.baseAddress)
        guard EVP_CIPHER_CTX_ctrl(raw, EVP_CTRL_AEAD_SET_TAG, CInt(tag.count), pointer) == 1 else {
            throw .library("EVP_CTRL_AEAD_SET_TAG")
        }
    }
}
