internal import CCurl
internal import Keyring

/// What a code of libcurl's means here. The table is total: what it does not name is a failure of this process.
struct CurlFailure: Sendable, Equatable {
    let code: VaultError.Code
    let errorClass: SealingError.Class
    let hint: String?

    init(_ code: CURLcode) {
        self = CurlFailure.table[code.rawValue] ?? CurlFailure(.local, .retry)
    }

    private init(_ code: VaultError.Code, _ errorClass: SealingError.Class, _ hint: String? = nil) {
        self.code = code
        self.errorClass = errorClass
        self.hint = hint
    }

    private static let table: [UInt32: CurlFailure] = {
        var table: [UInt32: CurlFailure] = [:]
        for (failure, codes) in groups {
            for code in codes { table[code.rawValue] = failure }
        }
        return table
    }()

    private static let groups: [(CurlFailure, [CURLcode])] = [
        (
            CurlFailure(.unreachable, .reopen, "check Vault and the way to it"),
            [
                CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY, CURLE_COULDNT_CONNECT, CURLE_PROXY,
                CURLE_INTERFACE_FAILED, CURLE_NO_CONNECTION_AVAILABLE,
            ]
        ),
        (CurlFailure(.deadline, .retry, "check Vault and the way to it"), [CURLE_OPERATION_TIMEDOUT]),
        (
            // A server that wants a client certificate says so only when the first request is on its way (TLS 1.3): as an
            // alert, or, if it closes before that was read, as a connection that was reset or has ended.
            CurlFailure(
                .unreachable, .reopen, "check Vault and the way to it; if it asks for client certificates, set tls"),
            [CURLE_RECV_ERROR, CURLE_SEND_ERROR, CURLE_GOT_NOTHING]
        ),
        (
            CurlFailure(
                .tls, .reopen,
                "is this Vault's address, and does it speak TLS 1.2 or later? if it asks for client certificates, set tls"
            ),
            [CURLE_SSL_CONNECT_ERROR]
        ),
        (
            CurlFailure(.tls, .operatorMustAct, "check tls.caFile, tls.serverName and the server's certificate"),
            [
                CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_INVALIDCERTSTATUS,
                CURLE_SSL_PINNEDPUBKEYNOTMATCH, CURLE_SSL_CRL_BADFILE, CURLE_SSL_CIPHER, CURLE_USE_SSL_FAILED,
            ]
        ),
        (CurlFailure(.tls, .operatorMustAct, "check tls.caFile"), [CURLE_SSL_CACERT_BADFILE]),
        (
            CurlFailure(.tls, .operatorMustAct, "check tls.certificateFile and tls.keyFile"),
            [CURLE_SSL_CERTPROBLEM, CURLE_SSL_CLIENTCERT]
        ),
        (
            CurlFailure(.answer, .reopen, "is this Vault's address?"),
            [
                CURLE_PARTIAL_FILE, CURLE_WEIRD_SERVER_REPLY, CURLE_HTTP2, CURLE_HTTP2_STREAM,
                CURLE_BAD_CONTENT_ENCODING, CURLE_WRITE_ERROR, CURLE_RECURSIVE_API_CALL, CURLE_TOO_MANY_REDIRECTS,
                // Also of an answer that is not HTTP at all.
                CURLE_UNSUPPORTED_PROTOCOL,
            ]
        ),
        (CurlFailure(.configuration, .operatorMustAct, "check the address"), [CURLE_URL_MALFORMAT]),
    ]
}

extension VaultError {
    init(_ failure: CurlFailure, _ text: String, isUnsent: Bool) {
        self.init(failure.code, text, hint: failure.hint, errorClass: failure.errorClass, isUnsent: isUnsent)
    }
}
