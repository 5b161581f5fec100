internal import COpenSSL

/// OSSL_PARAMs for one call. The builder copies what it is given, and copies from the secure heap stay in the secure
/// heap, wiped when this value goes.
struct Parameters: ~Copyable {
    let raw: UnsafeMutablePointer<OSSL_PARAM>

    init(_ build: (borrowing Builder) throws(CryptoError) -> Void) throws(CryptoError) {
        let builder = try Builder()
        try build(builder)
        guard let raw = OSSL_PARAM_BLD_to_param(builder.raw) else { throw .library("OSSL_PARAM_BLD_to_param") }
        self.raw = raw
    }

    deinit { OSSL_PARAM_free(raw) }

    struct Builder: ~Copyable {
        fileprivate let raw: OpaquePointer

        fileprivate init() throws(CryptoError) {
            guard let raw = OSSL_PARAM_BLD_new() else { throw .library("OSSL_PARAM_BLD_new") }
            self.raw = raw
        }

        deinit { OSSL_PARAM_BLD_free(raw) }

        // The parameters keep pointers to the names, and the builder to the values until OSSL_PARAM_BLD_to_param: names
        // and texts are literals, octets must outlive the builder.

        borrowing func text(_ name: StaticString, _ value: StaticString) throws(CryptoError) {
            let pushed = value.withUTF8Buffer { utf8 in
                utf8.withMemoryRebound(to: CChar.self) { text in
                    OSSL_PARAM_BLD_push_utf8_string(raw, name.cString, text.baseAddress, text.count)
                }
            }
            guard pushed == 1 else { throw .library("OSSL_PARAM_BLD_push_utf8_string") }
        }

        borrowing func octets(_ name: StaticString, _ value: UnsafeRawBufferPointer) throws(CryptoError) {
            guard OSSL_PARAM_BLD_push_octet_string(raw, name.cString, value.baseAddress, value.count) == 1 else {
                throw .library("OSSL_PARAM_BLD_push_octet_string")
            }
        }

        borrowing func integer(_ name: StaticString, _ value: CInt) throws(CryptoError) {
            guard OSSL_PARAM_BLD_push_int(raw, name.cString, value) == 1 else {
                throw .library("OSSL_PARAM_BLD_push_int")
            }
        }
    }
}

extension StaticString {
    /// The NUL-terminated text of a literal, which lives as long as the program.
    fileprivate var cString: UnsafePointer<CChar> {
        UnsafeRawPointer(utf8Start).assumingMemoryBound(to: CChar.self)
    }
}
