import CCurl
import Keyring
import Testing

@testable import VaultBackend

@Suite("What codes of Vault and libcurl mean")
struct TableTests {
    @Test("every status has a meaning, and those that matter the right one")
    func statuses() {
        for status in 0..<1000 where status != 200 && status != 204 {
            let error = VaultError(status: status, "GET x", "")
            #expect(error.status == status && error.message.contains("\(status)"))
        }
        let expected: [(Int, VaultError.Code, SealingError.Class)] = [
            (307, .unreachable, .operatorMustAct), (400, .request, .operatorMustAct), (403, .denied, .operatorMustAct),
            (404, .notFound, .operatorMustAct), (405, .request, .operatorMustAct), (412, .busy, .retry),
            (429, .busy, .retry), (472, .sealed, .operatorMustAct), (473, .busy, .retry), (500, .busy, .retry),
            (501, .sealed, .operatorMustAct), (502, .busy, .retry), (503, .sealed, .reopen), (504, .busy, .retry),
            (599, .busy, .retry), (600, .answer, .reopen), (100, .answer, .reopen),
        ]
        for (status, code, errorClass) in expected {
            let failure = StatusFailure(status)
            #expect(failure.code == code && failure.errorClass == errorClass, "\(status)")
        }
    }

    @Test("what a token, a credential or a seal is worth is for Vault alone to say, in JSON")
    func foreign() {
        for status in [400, 401, 403, 404, 405] {
            let proxy = VaultError(status: status, "GET x", nil)
            #expect(proxy.code == .answer && proxy.errorClass == .reopen && !proxy.isRefusal, "\(status)")
            #expect(VaultError(status: status, "GET x", "").isRefusal == (status != 405), "\(status)")
        }
        #expect(VaultError(status: 429, "GET x", nil).errorClass == .retry)
        #expect(VaultError(status: 503, "GET x", nil).code == .sealed)
    }

    @Test(
        "a libcurl is used if it has all that is needed",
        arguments: [
            (0x07_57_00, "7.87.0 with OpenSSL/3.0.7", true, nil), (0x08_0e_01, "8.14.1 with OpenSSL/3.5.1", true, nil),
            (0x07_58_01, "7.88.1 with OpenSSL/3.0.8 (GnuTLS/3.7.9)", true, nil),
            (0x07_56_00, "7.86.0 with OpenSSL/3.0.7", true, "too old"),
            (0x07_58_01, "7.88.1 with GnuTLS/3.7.9", true, "does not use OpenSSL"),
            (0x07_58_01, "7.88.1 with (OpenSSL/3.0.8) GnuTLS/3.7.9", true, "does not use OpenSSL"),
            (0x07_58_01, "7.88.1 with no TLS", false, "does not use OpenSSL"),
            (0x07_58_01, "7.88.1 with OpenSSL/3.0.8", false, "wipe"),
        ] as [(UInt32, String, Bool, String?)])
    func libraries(_ number: UInt32, _ version: String, _ canWipe: Bool, _ problem: String?) {
        let found = CurlLibrary.problem(number, version, canWipe: canWipe)
        #expect((found == nil) == (problem == nil))
        guard let found, let problem else { return }
        #expect(found.message.contains(problem) && found.message.contains(version))
        // Once and for good: trying again does not help.
        #expect(found.errorClass == .operatorMustAct && found.hint?.contains("7.87") == true)
    }

    @Test(
        "a redirect's place is shown by its host and port, and nothing else of it",
        arguments: [
            (
                "https://internal-vault-1234567890.eu-west-1.example:8200/v1/x?token=abc",
                "https://internal-vault-1234567890.eu-west-1.example:8200"
            ),
            ("HTTP://[2001:DB8::1]:80", "http://[2001:db8::1]:80"), ("https://user:secret@a:1/x", "https://a:1"),
            ("https://a#b", "https://a"), ("ftp://a/x", "what is no http URL"), ("//evil/x", "what is no http URL"),
            ("https:///x", "what is no http URL"), ("https://a b/", "what is no http URL"), ("", "what is no http URL"),
            ("https://" + String(repeating: "a", count: 200), "what is no http URL"),
        ])
    func places(_ url: String, _ shown: String) {
        #expect(ServerText.origin(url) == shown)
    }

    @Test("every code of libcurl has a meaning, and those that matter the right one")
    func codes() {
        for code in 1..<UInt32(CURL_LAST.rawValue) {
            let failure = CurlFailure(CURLcode(rawValue: code))
            #expect(failure.errorClass != .permanent)
        }
        let expected: [(CURLcode, VaultError.Code, SealingError.Class)] = [
            (CURLE_COULDNT_RESOLVE_HOST, .unreachable, .reopen), (CURLE_COULDNT_CONNECT, .unreachable, .reopen),
            (CURLE_OPERATION_TIMEDOUT, .deadline, .retry), (CURLE_PEER_FAILED_VERIFICATION, .tls, .operatorMustAct),
            (CURLE_SSL_CACERT_BADFILE, .tls, .operatorMustAct), (CURLE_SSL_CERTPROBLEM, .tls, .operatorMustAct),
            (CURLE_PARTIAL_FILE, .answer, .reopen), (CURLE_OUT_OF_MEMORY, .local, .retry),
            (CURLE_UNSUPPORTED_PROTOCOL, .answer, .reopen), (CURLE_URL_MALFORMAT, .configuration, .operatorMustAct),
        ]
        // However it comes that a server wanted a client certificate.
        for curl in [CURLE_RECV_ERROR, CURLE_SEND_ERROR, CURLE_GOT_NOTHING, CURLE_SSL_CONNECT_ERROR] {
            #expect(CurlFailure(curl).hint?.contains("client certificates, set tls") == true, "\(curl.rawValue)")
        }
        for (curl, code, errorClass) in expected {
            let failure = CurlFailure(curl)
            #expect(failure.code == code && failure.errorClass == errorClass, "\(curl.rawValue)")
        }
    }

    @Test(
        "a server's words are shown without what could be a credential",
        arguments: [
            ("1 error occurred:\n\t* permission denied\n\n", "1 error occurred: * permission denied"),
            ("Vault is sealed", "Vault is sealed"), ("", ""),
            ("bad token s.cHOg7kKvIAJW9N2OFFkdMd1D here", "bad token s.[…] here"),
            ("hvs.CAESIJx_0123456789-abcdefghijklmnopqrstuvwxyz", "hvs.[…]"),
            ("{\"plaintext\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\"}", "{\"plaintext\":\"[…]\"}"),
            ("b8ade6e1-c8c9-7f32-e78d-6d5fe20dfbba", "[…]"), ("a\u{1b}[31mb\u{202e}c", "a [31mb?c"),
            ("auth/approle/login", "auth/approle/login"),
        ])
    func words(_ text: String, _ shown: String) {
        #expect(ServerText.shorten(text) == shown)
    }

    @Test("a server's words have an end")
    func longWords() {
        #expect(ServerText.shorten(String(repeating: "no ", count: 1000)).count <= ServerText.limit + 1)
    }
}
