internal import CCurl
internal import Crypto
internal import Keyring

/// One request on its way: an easy handle, and all that it points to. Used by the thread of `Transport` alone.
final class Transfer {
    /// The longest answer in bytes. Vault's are under 2 kB.
    static let answerLimit = 64 * 1024

    /// How long a connection is used, in seconds.
    private static let connectionLife = 3600

    let handle: UnsafeMutableRawPointer
    private let library: CurlLibrary
    private let request: HTTPRequest
    private let answer = WipedBuffer(limit: Transfer.answerLimit)
    private var headers: UnsafeMutablePointer<curl_slist>?
    private var connectTo: UnsafeMutablePointer<curl_slist>?
    private let errorText: UnsafeMutablePointer<CChar>
    private var isTooLong = false
    private let finish: @Sendable (Result<HTTPAnswer, VaultError>) -> Void

    init(
        _ library: CurlLibrary, _ request: HTTPRequest, _ options: TransportOptions,
        finish: @escaping @Sendable (Result<HTTPAnswer, VaultError>) -> Void
    ) throws(VaultError) {
        guard let handle = library.functions.pointee.easy_init() else {
            throw VaultError(.local, "curl_easy_init failed", errorClass: .retry)
        }
        self.handle = handle
        self.library = library
        self.request = request
        self.finish = finish
        errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
        errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        try configure(options)
    }

    deinit {
        // The lists' memory is wiped by our allocator.
        library.functions.pointee.easy_cleanup(handle)
        library.functions.pointee.slist_free_all(headers)
        library.functions.pointee.slist_free_all(connectTo)
        errorText.deallocate()
    }

    private func configure(_ options: TransportOptions) throws(VaultError) {
        let left = request.until - .now
        guard left > .zero else { throw VaultError(.deadline, "no time left", errorClass: .retry) }
        try set(CURLOPT_URL, request.url)
        try set(CURLOPT_PROTOCOLS_STR, "https,http")
        try set(CURLOPT_REDIR_PROTOCOLS_STR, "https")
        try set(CURLOPT_FOLLOWLOCATION, 0)
        try set(CURLOPT_NOSIGNAL, 1)
        try set(CURLOPT_NETRC, 0)
        try set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
        try set(CURLOPT_USERAGENT, "trousseau")
        // Empty texts also keep curl from looking at https_proxy, no_proxy and their like.
        // Only https goes through a proxy: the configuration makes sure of it, and this does once more.
        try set(CURLOPT_PROXY, request.url.hasPrefix("https://") ? options.proxy ?? "" : "")
        try set(CURLOPT_NOPROXY, "")
        // Rounded up: curl takes 0 for "no limit".
        let milliseconds = max(1, Int(left / .milliseconds(1)) + 1)
        try set(CURLOPT_TIMEOUT_MS, milliseconds)
        if request.isOnce { try set(CURLOPT_FRESH_CONNECT, 1) }
        // A replaced client certificate is shown in the end, although probes keep the connection young.
        try set(CURLOPT_MAXLIFETIME_CONN, Transfer.connectionLife)
        // A name server that does not answer must not hold the thread when the time is over.
        try set(CURLOPT_QUICK_EXIT, 1)

        try set(CURLOPT_SSL_VERIFYPEER, 1)
        try set(CURLOPT_SSL_VERIFYHOST, 2)
        try set(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
        // A replaced CA file counts from the next connection on.
        try set(CURLOPT_CA_CACHE_TIMEOUT, 0)
        if let file = options.caFile {
            try set(CURLOPT_CAINFO, file)
            try check(trousseau_curl_set_pointer(library.functions, handle, CURLOPT_CAPATH, nil))
        }
        if let certificate = options.certificateFile, let key = options.keyFile {
            try set(CURLOPT_SSLCERT, certificate)
            try set(CURLOPT_SSLKEY, key)
        }
        trousseau_curl_set_wiping(library.functions, handle)

        try check(trousseau_curl_set_pointer(library.functions, handle, CURLOPT_ERRORBUFFER, errorText))
        let owner = Unmanaged.passUnretained(self).toOpaque()
        try check(trousseau_curl_set_pointer(library.functions, handle, CURLOPT_PRIVATE, owner))
        try check(trousseau_curl_set_pointer(library.functions, handle, CURLOPT_WRITEDATA, owner))
        try check(
            trousseau_curl_set_receiver(library.functions, handle) { bytes, size, count, owner in
                guard let bytes, let owner else { return 0 }
                let transfer = Unmanaged<Transfer>.fromOpaque(owner).takeUnretainedValue()
                return transfer.receive(UnsafeRawBufferPointer(start: bytes, count: size * count))
            })
        try configureRequest()
    }

    private func configureRequest() throws(VaultError) {
        // Agents may be told to refuse requests without the first one.
        for header in ["X-Vault-Request: true", "Expect:", "Content-Type: application/json"] + request.headers {
            try append(header, to: \.headers)
        }
        if let token = request.token { try append(token) }
        try check(trousseau_curl_set_pointer(library.functions, handle, CURLOPT_HTTPHEADER, headers))
        if request.method == .delete { try set(CURLOPT_CUSTOMREQUEST, "DELETE") }
        guard request.method == .post else { return }
        try set(CURLOPT_POST, 1)
        let body = request.body
        try set(CURLOPT_POSTFIELDSIZE, body?.bytes.count ?? 0)
        // Not copied: `request` keeps it.
        let code = body?.bytes.withUnsafeBytes { bytes in
            trousseau_curl_set_pointer(library.functions, handle, CURLOPT_POSTFIELDS, bytes.baseAddress)
        }
        try check(code ?? trousseau_curl_set_text(library.functions, handle, CURLOPT_COPYPOSTFIELDS, ""))
    }

    /// `X-Vault-Token: …`, written in secure memory; curl's copy is wiped with the list.
    private func append(_ token: VaultToken) throws(VaultError) {
        let header = try SecretText.join("X-Vault-Token: ", token.bytes, "\0")
        let list = header.withUnsafeBytes { bytes in
            bytes.withMemoryRebound(to: CChar.self) { library.functions.pointee.slist_append(headers, $0.baseAddress) }
        }
        guard let list else { throw VaultError(.local, "curl_slist_append failed", errorClass: .retry) }
        headers = list
    }

    private func append(
        _ text: String, to list: ReferenceWritableKeyPath<Transfer, UnsafeMutablePointer<curl_slist>?>
    ) throws(VaultError) {
        guard let longer = library.functions.pointee.slist_append(self[keyPath: list], text) else {
            throw VaultError(.local, "curl_slist_append failed", errorClass: .retry)
        }
        self[keyPath: list] = longer
    }

    /// Connects to `host` and `port`, whatever the URL says: the certificate has to be that of the URL's host.
    func connect(to host: String, port: Int) throws(VaultError) {
        try append("::\(host.contains(":") ? "[\(host)]" : host):\(port)", to: \.connectTo)
        try check(trousseau_curl_set_pointer(library.functions, handle, CURLOPT_CONNECT_TO, connectTo))
    }

    private func receive(_ bytes: UnsafeRawBufferPointer) -> Int {
        guard answer.append(bytes) else {
            isTooLong = true
            return 0
        }
        return bytes.count
    }

    /// Hands the outcome to who waits for it.
    func end(_ code: CURLcode) {
        guard code == CURLE_OK else {
            finish(.failure(failure(code)))
            return
        }
        let status = trousseau_curl_get_number(library.functions, handle, CURLINFO_RESPONSE_CODE)
        let redirect = trousseau_curl_get_text(library.functions, handle, CURLINFO_REDIRECT_URL)
        finish(
            .success(
                HTTPAnswer(status: status, body: answer, redirect: redirect.map { String(cString: $0) })))
    }

    func abandon(_ error: VaultError) { finish(.failure(error)) }

    private func failure(_ code: CURLcode) -> VaultError {
        if isTooLong {
            return VaultError(
                .answer, "the answer is longer than \(Transfer.answerLimit) bytes", hint: "is this Vault's address?",
                errorClass: .reopen)
        }
        // curl's own words name hosts and files, and nothing that was sent.
        let detail = String(cString: errorText)
        let text = ServerText.shorten(detail.isEmpty ? library.text(code) : detail)
        // With a proxy, what was sent to it counts, too.
        let sent = trousseau_curl_get_number(library.functions, handle, CURLINFO_REQUEST_SIZE)
        return VaultError(CurlFailure(code), text, isUnsent: sent == 0)
    }

    private func set(_ option: CURLoption, _ value: Int) throws(VaultError) {
        try check(trousseau_curl_set_number(library.functions, handle, option, value))
    }

    private func set(_ option: CURLoption, _ value: String) throws(VaultError) {
        try check(trousseau_curl_set_text(library.functions, handle, option, value))
    }

    private func check(_ code: CURLcode) throws(VaultError) {
        guard code == CURLE_OK else {
            let isUnknown = [CURLE_UNKNOWN_OPTION, CURLE_NOT_BUILT_IN].contains(code)
            throw VaultError(
                .local, "curl_easy_setopt: \(library.text(code))", hint: isUnknown ? CurlLibrary.wanted : nil,
                errorClass: isUnknown ? .operatorMustAct : .retry, isUnsent: true)
        }
    }
}
