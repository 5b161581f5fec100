internal import CCurl
internal import Crypto
internal import Glibc
internal import Keyring

/// libcurl, loaded at the first use, for the life of the process.
final class CurlLibrary: @unchecked Sendable {
    // Sendable: the table of functions is filled before anybody sees it and never changes.
    let functions: UnsafePointer<trousseau_curl>

    /// Variables that would have libcurl write TLS secrets to a file, or choose another TLS library.
    private static let variables = ["SSLKEYLOGFILE", "CURL_SSL_BACKEND"]
    /// 7.87: the first with all the options that `Transfer` sets.
    static let oldest: UInt32 = 0x07_57_00
    static let wanted = "install libcurl 7.87 or later, in the flavour with OpenSSL: Debian's libcurl4"

    private init() throws(VaultError) {
        // Before libcurl, which looks at them when it starts, and for good, since OpenSSL may look later.
        // unsetenv(3) must not meet getenv(3) of another thread, so it is called only for what is there.
        for name in CurlLibrary.variables where getenv(name) != nil { unsetenv(name) }
        do {
            // libcrypto first, by our own terms: otherwise libcurl makes it read the host's openssl.cnf.
            _ = try Random.bytes(1)
        } catch {
            throw VaultError(.local, "\(error)", errorClass: .retry)
        }
        let functions = UnsafeMutablePointer<trousseau_curl>.allocate(capacity: 1)
        functions.initialize(to: trousseau_curl())
        if let problem = trousseau_curl_load(functions) {
            let reason = String(cString: problem)
            functions.deallocate()
            throw VaultError(.local, "libcurl: \(reason)", hint: CurlLibrary.wanted)
        }
        self.functions = UnsafePointer(functions)
        let info = functions.pointee.version_info(CURLVERSION_FIRST)
        let problem = CurlLibrary.problem(
            info?.pointee.version_num ?? 0, version, canWipe: functions.pointee.set_tls_options != nil)
        if let problem { throw problem }
    }

    /// Why a libcurl cannot be used. It stays loaded, so that this stands for the life of the process.
    ///
    /// - Parameters:
    ///   - number: 0x075700 for 7.87.0.
    ///   - version: `7.88.1 with OpenSSL/3.0.22`; libraries in brackets are there, and not in use.
    ///   - canWipe: whether its OpenSSL can be told to wipe what it has decrypted.
    static func problem(_ number: UInt32, _ version: String, canWipe: Bool) -> VaultError? {
        let reason: String
        if number < oldest {
            reason = "is too old"
        } else if !version.contains(" with OpenSSL/") {
            reason = "does not use OpenSSL"
        } else if !canWipe {
            reason = "hides its OpenSSL, which so cannot be told to wipe what it has decrypted"
        } else {
            return nil
        }
        return VaultError(.local, "libcurl \(version) \(reason)", hint: wanted, isUnsent: true)
    }

    private static let loaded: Result<CurlLibrary, VaultError> = {
        do throws(VaultError) { return .success(try CurlLibrary()) } catch { return .failure(error) }
    }()

    static func shared() throws(VaultError) -> CurlLibrary { try loaded.get() }

    /// `7.88.1 with OpenSSL/3.0.22`.
    var version: String {
        guard let info = functions.pointee.version_info(CURLVERSION_FIRST) else { return "?" }
        let number = info.pointee.version.map { String(cString: $0) } ?? "?"
        let tls = info.pointee.ssl_version.map { String(cString: $0) } ?? "no TLS"
        return "\(number) with \(tls)"
    }

    /// libcurl's own text for a code.
    func text(_ code: CURLcode) -> String {
        functions.pointee.easy_strerror(code).map { String(cString: $0) } ?? "error \(code.rawValue)"
    }
}
