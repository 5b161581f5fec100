import Keyring
import Synchronization
import TestSupport
import Testing

@testable import KMSServer

/// What the server refuses before the keyring sees it, and how.
@Suite struct RequestTests {
    /// Messages that no protobuf decoder takes: cut off, a length beyond the end, an endless number, a field number 0, a
    /// field of another type.
    static let malformed: [[UInt8]] = [
        [0x0a], [0x0a, 0x05, 1, 2], [0x0a] + Array(repeating: 0xff, count: 11), [0x02, 0x00], [0x08, 0x01],
        [0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f], Array(repeating: 0xff, count: 64),
    ]

    @Test(arguments: malformed) func malformedMessagesAreInvalid(bytes: [UInt8]) async throws {
        try await ServerUnderTest.with { test in
            let client = try test.client()
            for method in [
                Request.encrypt, Request.decrypt, Request.encrypt1, Request.decrypt1, Request.version1,
            ] {
                let answer = try await client.call(method, bytes)
                #expect(answer.code == .invalidArgument, "\(method): \(answer)")
            }
            // The connection is not to blame.
            try await #expect(client.call(Request.status).code == .ok)
        }
    }

    static let badTexts: [[UInt8]] = [
        [0x61, 0x00, 0x62], [0xff, 0xfe], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82],
    ]

    @Test(arguments: badTexts) func stringsHaveNoNULAndAreUTF8(text: [UInt8]) async throws {
        try await ServerUnderTest.with { test in
            let client = try test.client()
            let bytes: [UInt8] = Array("v2".utf8) + [1, 2, 3]
            for (method, request) in [
                (Request.encrypt, Wire.field(1, [1]) + Wire.field(2, text)),
                (Request.decrypt, Wire.field(1, bytes) + Wire.field(2, text) + Wire.field(3, FakeKeyService.keyID)),
                (Request.decrypt, Wire.field(1, bytes) + Wire.field(2, "uid") + Wire.field(3, text)),
                (Request.encrypt1, Wire.field(1, text) + Wire.field(2, [1])),
            ] {
                let answer = try await client.call(method, request)
                #expect(answer.code == .invalidArgument, "\(method): \(answer)")
            }
        }
    }

    @Test func otherUTF8IsFine() async throws {
        try await ServerUnderTest.with { test in
            let answer = try await test.client().call(Request.encrypt, Request.encrypt([1], uid: "Schlüssel-🔑"))
            #expect(answer.code == .ok)
        }
    }

    static let badKeys = [
        "", "kek", ".kek.trousseau", "kek.trousseau.", "kek..trousseau", "kek.Trousseau", "kek/trousseau.x", "-a.b",
        "a-.b", "kek.trousseau\u{0}", "a." + String(repeating: "b", count: 260),
    ]

    @Test(arguments: badKeys) func annotationsHaveDNSNames(key: String) async throws {
        try await ServerUnderTest.with { test in
            let request = Request.decrypt(Array("v2x".utf8), annotations: [(key, [1])])
            let answer = try await test.client().call(Request.decrypt, request)
            #expect(answer.code == .invalidArgument)
            #expect(answer.text.contains("annotation"))
        }
    }

    @Test func annotationsAreBounded() async throws {
        try await ServerUnderTest.with { test in
            let client = try test.client()
            let most = 32 * 1024 - "kek.trousseau".utf8.count
            func code(_ annotations: [(String, [UInt8])]) async throws -> StatusCode {
                let request = Request.decrypt(Array("v2x".utf8), annotations: annotations)
                return try await client.call(Request.decrypt, request).code
            }
            try await #expect(code([("kek.trousseau", Array(repeating: 1, count: most))]) == .ok)
            try await #expect(code([("kek.trousseau", Array(repeating: 1, count: most + 1))]) == .invalidArgument)
            try await #expect(code((0..<64).map { ("a.b\($0)", [1]) }) == .ok)
            try await #expect(code((0..<65).map { ("a.b\($0)", [1]) }) == .invalidArgument)
            // As many as fit into a message: bounded memory, not only a bounded count.
            let flood = Array(repeating: Wire.field(4, []), count: 60000).flatMap { $0 }
            try await #expect(client.call(Request.decrypt, flood).code == .invalidArgument)
        }
    }

    @Test func messagesBeyond128KiBAreRefused() async throws {
        try await ServerUnderTest.with { test in
            let client = try test.client()
            let answer = try await client.call(Request.encrypt, Wire.field(1, Array(repeating: 1, count: 128 * 1024)))
            #expect(answer.code == .resourceExhausted)
            try await #expect(client.call(Request.encrypt, Request.encrypt([1])).code == .ok)
        }
    }

    @Test func unknownMethodsAreUnimplemented() async throws {
        try await ServerUnderTest.with { test in
            let client = try test.client()
            for method in ["/v2.KeyManagementService/Rotate", "/v3.KeyManagementService/Status", "/", "/x/"] {
                try await #expect(client.call(method, [1, 2, 3]).code == .unimplemented, "\(method)")
            }
            #expect(test.count("unknown", "UNIMPLEMENTED") == 4)
        }
    }

    @Test(arguments: [
        "localhost", "%2Frun%2Ftrousseau%2Fkms.sock", "/run/trousseau/kms.sock", "unix:///x", "@kms", "a b", "",
    ]) func anyAuthorityWillDo(authority: String) async throws {
        try await ServerUnderTest.with { test in
            let answer = try await test.client(authority: authority).call(Request.encrypt, Request.encrypt([1, 2]))
            #expect(answer.code == .ok, "\(answer)")
        }
    }

    @Test func compressedMessagesAreNotServed() async throws {
        try await ServerUnderTest.with { test in
            // Small enough once it is unpacked, so that only the compression is in the way.
            let request = Request.encrypt(Array(repeating: 1, count: 900))
            let answer = try await TestClient(test.path, compresses: true).call(Request.encrypt, request)
            #expect(answer.code == .unimplemented, "\(answer)")
            let client = try test.client()
            try await #expect(client.call(Request.encrypt, Request.encrypt([1])).code == .ok)
        }
    }

    static let codes: [(ServiceError.Code, StatusCode)] = [
        (.invalidArgument, .invalidArgument), (.notFound, .notFound), (.failedPrecondition, .failedPrecondition),
        (.unavailable, .unavailable), (.deadlineExceeded, .deadlineExceeded),
        (.resourceExhausted, .resourceExhausted), (.internalError, .internalError),
    ]

    @Test(arguments: codes) func errorsOfTheKeyringHaveOneCodeEach(code: ServiceError.Code, status: StatusCode)
        async throws
    {
        try await ServerUnderTest.with { test in
            test.service.behaviour.withLock { $0.failure = ServiceError(code, "because: ä") }
            let client = try test.client()
            for (method, request) in [
                (Request.status, []), (Request.encrypt, Request.encrypt([1])), (Request.decrypt, Request.decrypt([1])),
                (Request.encrypt1, Request.v1([1])), (Request.decrypt1, Request.v1([1])),
            ] {
                let answer = try await client.call(method, request)
                #expect(answer == TestClient.Answer(code: status, text: "because: ä", bytes: []), "\(method)")
            }
            #expect(test.count(Request.encrypt, status.name) == 1)
            #expect(test.log.text.contains("uid=uid-1"))
        }
    }

    @Test func textsAreCutAtACharacter() async throws {
        try await ServerUnderTest.with { test in
            test.service.behaviour.withLock {
                $0.failure = ServiceError(.internalError, "x" + String(repeating: "ä", count: 4000))
            }
            let answer = try await test.client().call(Request.status)
            #expect(answer.text == "x" + String(repeating: "ä", count: 511))
        }
    }
}
