internal import COpenSSL
internal import Testing

/// SHAKE128 for the accumulated vectors, from libcrypto's default context.
struct SHAKE128: ~Copyable {
    private let context: OpaquePointer

    init() throws {
        let context = try #require(EVP_MD_CTX_new())
        #expect(EVP_DigestInit_ex(context, EVP_shake128(), nil) == 1)
        self.context = context
    }

    deinit { EVP_MD_CTX_free(context) }

    borrowing func absorb(_ bytes: UnsafeRawBufferPointer) {
        #expect(EVP_DigestUpdate(context, bytes.baseAddress, bytes.count) == 1)
    }

    /// The first `count` bytes of the output. To be called once: OpenSSL 3.0 cannot squeeze twice.
    consuming func squeeze(_ count: Int) -> [UInt8] {
        var output = [UInt8](repeating: 0, count: count)
        #expect(EVP_DigestFinalXOF(context, &output, count) == 1)
        return output
    }
}
