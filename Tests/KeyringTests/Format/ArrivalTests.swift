import Testing

@testable import Keyring

/// A record from etcd or another node only adds seals.
@Suite struct ArrivalTests {
    private let kek: KEK

    init() throws {
        kek = try Sample.kek(1)
    }

    private func record(_ entries: [(id: String, counter: UInt64, seal: UInt8?)], vouchers: Int = 0) throws -> Record {
        let seals = try entries.map { entry in
            try SharedSeal(
                recipientID: entry.id, counter: entry.counter, kind: "a",
                live: entry.seal.map { SharedSeal.Live(description: [], seal: [$0]) }, unknown: [])
        }
        let identity = try Sample.identity(kek, generation: 9)
        let list = try (0..<vouchers).map {
            try Voucher(for: identity, by: try Sample.kek(UInt8(100 + $0)), generation: UInt64($0 + 1))
        }
        return try Record(identity: identity, seals: seals, vouchers: list, unknown: [], under: kek)
    }

    private func add(
        _ other: Record, to own: Record, isActive: Bool, opensHere: Bool = false
    ) throws -> RecordArrival {
        try own.adding(other, isActive: isActive, under: kek) { _ in opensHere }
    }

    @Test(arguments: [true, false]) func missingSealsAreAdded(isActive: Bool) throws {
        let own = try record([("a:a", 1, 1)])
        let arrival = try add(try record([("a:b", 5, 2)]), to: own, isActive: isActive, opensHere: true)
        #expect(arrival.record == (try record([("a:a", 1, 1), ("a:b", 5, 2)])))
        #expect(arrival.toOpenFirst.isEmpty)
    }

    @Test func tombstonesCountOnlyInTheActiveRecord() throws {
        let own = try record([("a:a", 1, 1)])
        let other = try record([("a:a", 2, nil), ("a:c", 1, nil)])
        #expect(try add(other, to: own, isActive: false).record == own)
        #expect(try add(other, to: own, isActive: true, opensHere: true).record == other)
    }

    @Test func aNewerSealWaitsWhereTheOldOneOpens() throws {
        let own = try record([("a:a", 1, 1)])
        let other = try record([("a:a", 2, 2)])
        let waiting = try add(other, to: own, isActive: true, opensHere: true)
        #expect(waiting.record == own)
        #expect(waiting.toOpenFirst == other.seals)
        #expect(try waiting.record.replacing(waiting.toOpenFirst[0], under: kek) == other)
        #expect(try add(other, to: own, isActive: true, opensHere: false).record == other)
    }

    @Test func olderSealsChangeNothing() throws {
        let own = try record([("a:a", 2, 2), ("a:b", 3, nil)])
        let other = try record([("a:a", 1, 1), ("a:b", 2, 1)])
        for isActive in [true, false] { #expect(try add(other, to: own, isActive: isActive).record == own) }
    }

    @Test func vouchersCountOnlyInTheActiveRecord() throws {
        let own = try record([("a:a", 1, 1)])
        let other = try record([("a:a", 1, 1)], vouchers: 2)
        #expect(try add(other, to: own, isActive: false).record == own)
        #expect(try add(other, to: own, isActive: true).record == other)
    }

    @Test func whatIsNotTheKEKsOwnIsRefused() throws {
        let own = try record([("a:a", 1, 1)])
        var bytes = own.encoded
        bytes[bytes.count - 1] ^= 1
        let forged = try Record(decoding: bytes)
        #expect(formatError { _ = try add(forged, to: own, isActive: true) }?.code == .notAuthentic)
        let other = try Sample.record(kek)
        #expect(formatError { _ = try add(other, to: own, isActive: true) }?.code == .conflict)
    }
}
