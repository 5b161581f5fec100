import Testing

@testable import Keyring

@Suite struct MergeTests {
    private let kek: KEK
    private let identity: Identity
    private let voucherKEKs: [KEKID]

    init() throws {
        kek = try Sample.kek(1)
        identity = try Sample.identity(kek, generation: 50)
        voucherKEKs = try (0..<40).map { index in
            try #require(KEKID([UInt8](repeating: UInt8(index), count: 32)))
        }
    }

    /// A record of few possible parts, so that two of them often have something in common.
    private func randomRecord(_ generator: inout SeededGenerator, vouchers: ClosedRange<Int> = 0...6) throws -> Record {
        var seals: [SharedSeal] = []
        for name in ["a:a", "a:b", "b:a", "zz:9"] where Bool.random(using: &generator) {
            let live = SharedSeal.Live(
                description: [UInt8.random(in: 0...1, using: &generator)],
                seal: [UInt8](repeating: UInt8.random(in: 0...2, using: &generator), count: 2))
            seals.append(
                try SharedSeal(
                    recipientID: name, counter: UInt64.random(in: 1...3, using: &generator),
                    kind: String(name.prefix { $0 != ":" }),
                    live: Int.random(in: 0...3, using: &generator) == 0 ? nil : live,
                    unknown: randomFields(&generator, above: 6)))
        }
        let chosen = voucherKEKs.shuffled(using: &generator).prefix(Int.random(in: vouchers, using: &generator))
        let list = try chosen.map { kekID in
            try Voucher(
                kekID: kekID, generation: UInt64.random(in: 1...6, using: &generator),
                mac: [UInt8](repeating: UInt8.random(in: 0...1, using: &generator), count: 32),
                unknown: randomFields(&generator, above: 3))
        }
        return try Record(
            identity: identity, seals: seals, vouchers: list, unknown: randomFields(&generator, above: 15), under: kek)
    }

    private func randomFields(_ generator: inout SeededGenerator, above: UInt32) -> [UnknownField] {
        (0..<Int.random(in: 0...2, using: &generator)).map { index in
            UnknownField(
                number: above + 1 + UInt32(index), wireType: 0, bytes: [UInt8.random(in: 1...2, using: &generator)])
        }
    }

    @Test(arguments: 1...200) func isCommutativeAssociativeAndIdempotent(seed: UInt64) throws {
        var generator = SeededGenerator(seed)
        // One seed in four has more vouchers than are kept.
        let vouchers = seed % 4 == 0 ? 20...32 : 0...6
        let a = try randomRecord(&generator, vouchers: vouchers)
        let b = try randomRecord(&generator, vouchers: vouchers)
        let c = try randomRecord(&generator, vouchers: vouchers)
        let ab = try a.merged(with: b, under: kek)
        #expect(ab.encoded == (try b.merged(with: a, under: kek)).encoded)
        #expect(
            try ab.merged(with: c, under: kek).encoded
                == a.merged(with: try b.merged(with: c, under: kek), under: kek).encoded)
        #expect(try a.merged(with: a, under: kek).encoded == a.encoded)
        #expect(try ab.merged(with: a, under: kek).encoded == ab.encoded)
        #expect(try Record(decoding: ab.encoded) == ab)
        #expect(ab.isAuthentic(under: kek))
        #expect(ab.vouchers.count <= 32)
        #expect(Set(ab.seals.map(\.recipientID)) == Set((a.seals + b.seals).map(\.recipientID)))
    }

    @Test func theHigherCounterWinsThenTheLowerBytes() throws {
        func record(_ counter: UInt64, _ byte: UInt8) throws -> Record {
            let live = SharedSeal.Live(description: [], seal: [byte])
            let seal = try SharedSeal(recipientID: "a:a", counter: counter, kind: "a", live: live, unknown: [])
            return try Record(identity: identity, seals: [seal], vouchers: [], unknown: [], under: kek)
        }
        let old = try record(1, 0)
        let new = try record(2, 9)
        #expect(try old.merged(with: new, under: kek) == new)
        #expect(try record(2, 8).merged(with: new, under: kek) == record(2, 8))
    }

    @Test func theVouchersOfTheHighestGenerationsAreKept() throws {
        func record(_ range: Range<Int>) throws -> Record {
            let vouchers = try range.map {
                try Voucher(
                    kekID: voucherKEKs[$0], generation: UInt64($0 + 1), mac: [UInt8](repeating: 0, count: 32),
                    unknown: [])
            }
            return try Record(identity: identity, seals: [], vouchers: vouchers, unknown: [], under: kek)
        }
        let merged = try record(0..<30).merged(with: try record(20..<40), under: kek)
        #expect(merged.vouchers.map(\.generation) == Array(9...40))
    }

    @Test func whatDoesNotFitIsAnErrorAndLosesNothing() throws {
        func record(_ names: ClosedRange<Int>, size: Int) throws -> Record {
            let seals = try names.map {
                let live = SharedSeal.Live(description: [], seal: [UInt8](repeating: 1, count: size))
                return try SharedSeal(recipientID: "a:\($0)", counter: 1, kind: "a", live: live, unknown: [])
            }
            return try Record(identity: identity, seals: seals, vouchers: [], unknown: [], under: kek)
        }
        let many = try record(1...20, size: 1)
        #expect(formatError { _ = try many.merged(with: try record(21...40, size: 1), under: kek) }?.code == .tooLarge)
        let large = try record(1...3, size: 2000)
        #expect(
            formatError { _ = try large.merged(with: try record(4...6, size: 2000), under: kek) }?.code == .tooLarge)
    }

    @Test func onlyAuthenticRecordsOfTheSameIdentityMerge() throws {
        let record = try Sample.record(kek)
        let other = try Sample.kek(2)
        #expect(formatError { _ = try record.merged(with: try Sample.record(other), under: kek) }?.code == .conflict)
        #expect(formatError { _ = try record.merged(with: record, under: other) }?.code == .notAuthentic)
        #expect(
            formatError { _ = try record.merged(with: try Sample.record(kek, generation: 2), under: kek) }?.code
                == .conflict)
        var bytes = record.encoded
        bytes[bytes.count - 1] ^= 1
        let forged = try Record(decoding: bytes)
        #expect(formatError { _ = try record.merged(with: forged, under: kek) }?.code == .notAuthentic)
        #expect(formatError { _ = try forged.merged(with: record, under: kek) }?.code == .notAuthentic)
    }
}
