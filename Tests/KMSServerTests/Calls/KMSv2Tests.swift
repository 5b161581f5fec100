import Keyring
import Testing
import TestSupport

@testable import KMSServer

@Suite struct KMSv2Tests {
    @Test func statusSaysVersionHealthAndKeyID() async throws {
        try await ServerUnderTest.with { test in
            let answer = try await test.client().call(Request.status)
            #expect(answer.code == .ok)
            let fields = try #require(Wire.fields(answer.bytes)).map {
                ($0.number, String(decoding: $0.bytes, as: UTF8.self))
            }
            #expect(fields.map(\.0) == [1, 2, 3])
            #expect(fields.map(\.1) == ["v2", "ok", FakeKeyService.keyID])
        }
    }

    @Test(arguments: [1, 32, 127, 128, 967]) func encryptsAndDecrypts(size: Int) async throws {
        try await ServerUnderTest.with { test in
            let client = try test.client()
            let plaintext = (0..<size).map { UInt8(truncatingIfNeeded: $0) }
            let encrypted = try await client.call(Request.encrypt, Request.encrypt(plaintext))
            #expect(encrypted.code == .ok)
            let ciphertext = try #require(Wire.only(1, in: encrypted.bytes))
            #expect(Wire.only(2, in: encrypted.bytes) == Array(FakeKeyService.keyID.utf8))
            let annotation = try #require(Wire.only(3, in: encrypted.bytes))
            #expect(Wire.only(1, in: annotation) == Array("kek.trousseau".utf8))
            #expect(Wire.only(2, in: annotation) == Array(repeating: 7, count: 300))
            let decrypted = try await client.call(Request.decrypt, Request.decrypt(ciphertext))
            #expect(decrypted.code == .ok)
            #expect(Wire.only(1, in: decrypted.bytes) == plaintext)
        }
    }
}
