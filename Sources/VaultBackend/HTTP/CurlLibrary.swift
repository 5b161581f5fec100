internal import CCurl
internal import Crypto
internal import Keyring

/// libcurl, loaded at the first use, for the life of the process.
final class CurlLibrary: @unchecked Sendable {
    // Sendable: the table of functions is filled before anybody sees it and never changes.
    let functions: UnsafePointer<trousseau_curl>

    private init() throws(VaultError) {
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
            throw VaultError(.local, "libcurl: \(reason)", hint: "install libcurl4")
        }
        self.functions = UnsafePointer(functions)
        guard version.hasTLS else {
            throw VaultError(.local, "libcurl \(version.text) has no TLS", hint: "install Debian's libcurl4")
        }
    }

    private static let loaded: Result<CurlLibrary, VaultError> = {
        do throws(VaultError) { return .success(try CurlLibrary()) } catch { return .failure(error) }
    }()

    static func shared() throws(VaultError) -> CurlLibrary { try loaded.get() }

    /// `7.88.1 with OpenSSL/3.0.22`.
    var version: (text: String, hasTLS: Bool) {
        guard let info = functions.pointee.version_info(CURLVERSION_FIRST) else { return ("?", false) }
        let number = info.pointee.version.map { String(cString: $0) } ?? "?"
        let tls = info.pointee.ssl_version.map { String(cString: $0) } ?? "no TLS"
        return ("\(number) with \(tls)", info.pointee.features & CURL_VERSION_SSL != 0)
    }

    /// libcurl's own text for a code.
    func text(_ code: CURLcode) -> String {
        functions.pointee.easy_strerror(code).map { String(cString: $0) } ?? "error \(code.rawValue)"
    }
}
