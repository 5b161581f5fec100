internal import COpenSSL

/// libcrypto in a library context of our own: neither the host's openssl.cnf nor what another library in this process
/// (SoftHSM, curl) loads or unloads changes which algorithms this one has.
///
/// One for the life of the process, never freed: libcrypto tears itself down at exit (openssl#22508).
final class Library: Sendable {
    // OSSL_LIB_CTX and the fetched algorithms are reference-counted and immutable; libcrypto documents them as
    // safe to share between threads.
    nonisolated(unsafe) let context: OpaquePointer
    nonisolated(unsafe) let aes256ECB: OpaquePointer
    nonisolated(unsafe) let aes256GCM: OpaquePointer
    nonisolated(unsafe) let sha256: OpaquePointer
    nonisolated(unsafe) let hmac: OpaquePointer
    nonisolated(unsafe) let kbkdf: OpaquePointer

    private init() throws(CryptoError) {
        // Even a fetched cipher makes OpenSSL 3.0 look for an engine, and that reads openssl.cnf into the default
        // context, where it may load code of the host's choice. Holds for the process, unless somebody was earlier.
        guard OPENSSL_init_crypto(UInt64(OPENSSL_INIT_NO_LOAD_CONFIG), nil) == 1 else {
            throw .library("OPENSSL_init_crypto")
        }
        guard let context = OSSL_LIB_CTX_new() else { throw .library("OSSL_LIB_CTX_new") }
        guard OSSL_PROVIDER_load(context, "default") != nil else { throw .library("OSSL_PROVIDER_load") }
        guard let ecb = EVP_CIPHER_fetch(context, "AES-256-ECB", nil) else { throw .library("EVP_CIPHER_fetch") }
        guard let gcm = EVP_CIPHER_fetch(context, "AES-256-GCM", nil) else { throw .library("EVP_CIPHER_fetch") }
        guard let sha256 = EVP_MD_fetch(context, "SHA2-256", nil) else { throw .library("EVP_MD_fetch") }
        guard let hmac = EVP_MAC_fetch(context, "HMAC", nil) else { throw .library("EVP_MAC_fetch") }
        guard let kbkdf = EVP_KDF_fetch(context, "KBKDF", nil) else { throw .library("EVP_KDF_fetch") }
        self.context = context
        self.aes256ECB = ecb
        self.aes256GCM = gcm
        self.sha256 = sha256
        self.hmac = hmac
        self.kbkdf = kbkdf
    }

    private static let loaded: Result<Library, CryptoError> = {
        do throws(CryptoError) { return .success(try Library()) } catch { return .failure(error) }
    }()

    /// The library, loaded at the first use.
    static func shared() throws(CryptoError) -> Library { try loaded.get() }
}

/// The library context for those modules of this package that use libcrypto beyond what this one wraps: CMS, X.509.
package enum LibraryContext {
    /// The OSSL_LIB_CTX, which lives as long as the process.
    package static func shared() throws(CryptoError) -> OpaquePointer { try Library.shared().context }
}
