import TestSupport
import Testing

@testable import KMSServer

@Suite struct KMSv1Beta1Tests {
    @Test(arguments: ["v1beta1", "", "v1"]) func versionIsAlwaysTheSame(asked: String) async throws {
        try await ServerUnderTest.with { test in
            let answer = try await test.client().call(Request.version1, Wire.field(1, asked))
            #expect(answer.code == .ok)
            let fields = try #require(Wire.fields(answer.bytes)).map { String(decoding: $0.bytes, as: UTF8.self) }
            #expect(fields == ["v1beta1", "trousseau", "1.2.3"])
        }
    }

    @Test(arguments: ["v1beta1", ""]) func encryptsAndDecrypts(version: String) async throws {
        try await ServerUnderTest.with { test in
            let client = try test.client()
            let encrypted = try await client.call(Request.encrypt1, Request.v1(Array("ping".utf8), version: version))
            #expect(encrypted.code == .ok)
            let fields = try #require(Wire.fields(encrypted.bytes))
            #expect(fields.map(\.number) == [1])
            let decrypted = try await client.call(Request.decrypt1, Request.v1(fields[0].bytes, version: version))
            #expect(decrypted.code == .ok)
            #expect(decrypted.bytes == Wire.field(1, "ping"))
        }
    }

    @Test func anotherVersionIsInvalid() async throws {
        try await ServerUnderTest.with { test in
            let client = try test.client()
            for method in [Request.encrypt1, Request.decrypt1] {
                let answer = try await client.call(method, Request.v1([1], version: "v2"))
                #expect(answer.code == .invalidArgument)
                #expect(answer.text == "version is not v1beta1")
            }
        }
    }

    @Test func theTwoAPIsDoNotMix() async throws {
        try await ServerUnderTest.with { test in
            let client = try test.client()
            let encrypted = try await client.call(Request.encrypt1, Request.v1([1, 2, 3]))
            let ciphertext = try #require(Wire.only(1, in: encrypted.bytes))
            try await #expect(client.call(Request.decrypt, Request.decrypt(ciphertext)).code == .invalidArgument)
        }
    }
}
