internal import Crypto
internal import TestSupport
internal import Testing

@Suite("Secrets")
struct SecretBytesTests {
    @Test("hold what they were made of", arguments: [0, 1, 31, 32, 33, 5000])
    func contents(_ count: Int) throws {
        let bytes = try Random.bytes(count)
        let copy = try secret(bytes)
        #expect(copy.count == count)
        #expect(copy.exposed() == bytes)
        let filled = try SecretBytes(count: count) { (memory) throws(CryptoError) in memory.copyBytes(from: bytes) }
        let isEqual = copy.isEqual(to: filled)
        #expect(isEqual)
        let short = try SecretBytes(capacity: count + 10) { memory in
            memory.copyBytes(from: bytes)
            return count
        }
        #expect(short.count == count)
        let isStillEqual = short.isEqual(to: copy)
        #expect(isStillEqual)
        #expect(SecureHeap.isLocked)
        #expect(SecureHeap.used >= 3 * count)
    }

    @Test("are equal only with the same bytes and length")
    func equality() throws {
        let bytes = [UInt8](0..<40)
        let value = try secret(bytes)
        for index in bytes.indices {
            var changed = bytes
            changed[index] ^= 1
            let isEqual = value.isEqual(to: try secret(changed))
            #expect(!isEqual)
        }
        let isEqualToPrefix = value.isEqual(to: try secret(Array(bytes.dropLast())))
        #expect(!isEqualToPrefix)
        let isEqualToNothing = value.isEqual(to: try secret([]))
        #expect(!isEqualToNothing)
    }

    @Test("pass the filling closure's own error on")
    func fillingFails() throws {
        #expect(throws: TestError.self) {
            _ = try SecretBytes(capacity: 16) { _ in throw TestError("from the token") }
        }
        let error = #expect(throws: CryptoError.self) {
            _ = try SecretBytes(count: 16) { (_) throws(CryptoError) in throw CryptoError(.library, "test") }
        }
        #expect(error == CryptoError(.library, "test"))
    }

    @Test("refuse a closure that says it wrote more than there is room for", arguments: [-1, 17, Int.max])
    func impossibleCounts(_ count: Int) {
        let error = #expect(throws: CryptoError.self) { _ = try SecretBytes(capacity: 16) { _ in count } }
        #expect(error?.code == .invalidLength)
    }

    @Test("refuse lengths that no heap has")
    func impossibleLengths() {
        let negative = #expect(throws: CryptoError.self) { _ = try SecretBytes(randomCount: -1) }
        #expect(negative?.code == .invalidLength)
        let huge = #expect(throws: CryptoError.self) { _ = try SecretBytes(randomCount: 1 << 40) }
        #expect(huge?.code == .secureHeapExhausted)
    }

    @Test("a full secure heap is an error of each operation, and all of it comes back")
    func exhaustion() async throws {
        let probe = try await Probe("heap")
        #expect(probe["one"] == "32")
        // Pieces are powers of two: 255 of 1024 bytes, beside what is smaller.
        let many = try #require(Int(probe["many"]))
        #expect(many > 200 && many < 257)
        #expect(probe["refusal"] == "secureHeapExhausted")
        #expect(probe["large"] == "secureHeapExhausted")
        #expect(probe["negative"] == "invalidLength")
        #expect(probe["cipher"] == "secureHeapExhausted")
        #expect(probe["derivation"] == "library")
        #expect(probe["seal"] == "none")
        #expect(probe["rest"] == "0")
        #expect(probe["afterwards"] == "none")
    }

    @Test("leave no trace of a key, a derived key or a message key in the process's memory")
    func residue() async throws {
        let probe = try await Probe("residue")
        for name in ["key", "derived", "messageKey"] {
            let counts = probe[name].split(separator: " ").compactMap { Int($0) }
            try #require(counts.count == 2)
            #expect(counts[0] > 0, "\(name) is found while it is in use: else the search proves nothing")
            #expect(counts[1] == 0, "\(name) is still in memory")
        }
    }

    @Test("the hot path leaks neither contexts nor secure memory")
    func leaks() async throws {
        let probe = try await Probe("leaks")
        #expect(probe["heap"] == "0")
        // A leaked EVP_CIPHER_CTX a call would be more than 10 MiB.
        let growth = try #require(Int(probe["residentKiB"]))
        #expect(growth < 2048)
    }

    @Test("libcrypto reads no openssl.cnf")
    func configuration() async throws {
        try await TestScope.with { scope in
            // Whoever opens a FIFO that nobody writes to waits.
            let path = scope.path("openssl.cnf")
            let made = try await ChildProcess.run("mkfifo", [path])
            #expect(made.succeeded)
            let probe = try await Probe("leaks", environment: ["OPENSSL_CONF": path], within: .seconds(60))
            #expect(probe["heap"] == "0")
        }
    }
}
