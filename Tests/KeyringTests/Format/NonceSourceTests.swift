import Crypto
import Synchronization
import Testing

@testable import Keyring

@Suite struct NonceSourceTests {
    private func take(_ count: Int, from source: NonceSource) throws -> [[UInt8]] {
        try (0..<count).map { _ in
            var nonce = [UInt8](repeating: 0, count: Envelope.nonceSize)
            try nonce.withUnsafeMutableBytes { try source.fill($0) }
            return nonce
        }
    }

    @Test func noNonceComesTwiceOverManyBatches() throws {
        let nonces = try take(10_000, from: NonceSource())
        #expect(Set(nonces).count == 10_000)
        #expect(!nonces.contains([UInt8](repeating: 0, count: Envelope.nonceSize)))
    }

    @Test func noNonceComesTwiceToThreadsAtTheSameTime() async throws {
        let source = NonceSource()
        let all = try await withThrowingTaskGroup(of: [[UInt8]].self) { group in
            for _ in 0..<8 { group.addTask { try self.take(2_000, from: source) } }
            return try await group.reduce(into: [[UInt8]]()) { $0 += $1 }
        }
        #expect(Set(all).count == 16_000)
    }

    @Test func twoSourcesShareNothing() throws {
        let first = Set(try take(1_000, from: NonceSource()))
        #expect(first.isDisjoint(with: try take(1_000, from: NonceSource())))
    }
}
