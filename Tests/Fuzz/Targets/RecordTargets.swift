@testable internal import Crypto
@testable internal import Keyring

/// Whatever is accepted as a record has no other encoding.
struct RecordTarget: FuzzTarget {
    let name = "record"
    private static let own = Result { try (kek: Sample.kek(1), identity: Sample.record().identity) }

    func seeds() throws -> [[UInt8]] {
        [try Sample.record().encoded, try Sample.record(generation: 2).encoded]
    }

    func run(_ bytes: [UInt8]) {
        guard let record = try? Record(decoding: bytes) else { return }
        Fuzz.check(record.encoded == bytes, "accepted bytes are not the encoding")
        // Nobody but the KEK makes its MAC.
        guard let own = try? RecordTarget.own.get(), record.identity.kekID == own.kek.id else { return }
        Fuzz.check(!record.isAuthentic(under: own.kek) || record.identity == own.identity, "a MAC was forged")
    }
}

/// Two versions of one record merge to the same bytes in either order, and again with either of them.
struct MergeTarget: FuzzTarget {
    let name = "merge"
    private static let kek = Result { try Sample.kek(2) }

    func seeds() throws -> [[UInt8]] {
        let kek = try Sample.kek(2)
        let first = try Sample.record(generation: 2)
        let second = try first.setting(Sample.seal(kek, to: "tpm:cc"), under: kek).removing("vault:bb", under: kek)
        return [MergeTarget.joined(first.encoded, second.encoded)]
    }

    private static func joined(_ a: [UInt8], _ b: [UInt8]) -> [UInt8] {
        [UInt8(truncatingIfNeeded: a.count >> 8), UInt8(truncatingIfNeeded: a.count)] + a + b
    }

    func run(_ bytes: [UInt8]) {
        guard bytes.count > 2, let kek = try? MergeTarget.kek.get() else { return }
        let rest = bytes.dropFirst(2)
        let count = min(rest.count, Int(bytes[0]) << 8 | Int(bytes[1]))
        guard let a = signed(Array(rest.prefix(count)), kek), let b = signed(Array(rest.dropFirst(count)), kek) else {
            return
        }
        let one = try? a.merged(with: b, under: kek)
        let other = try? b.merged(with: a, under: kek)
        Fuzz.check(one?.encoded == other?.encoded, "the order of a merge matters")
        guard let one else { return }
        for part in [a, b, one] {
            Fuzz.check((try? one.merged(with: part, under: kek))?.encoded == one.encoded, "a second merge changes it")
        }
        _ = try? a.adding(b, isActive: false, under: kek) { $0.counter.isMultiple(of: 2) }
        Fuzz.check((try? Record(decoding: one.encoded)) == one, "a merged record is not accepted")
    }

    /// The record with a good MAC: a fuzzer does not find one.
    private func signed(_ bytes: [UInt8], _ kek: KEK) -> Record? {
        guard let record = try? Record(decoding: bytes) else { return nil }
        return try? Record(
            identity: record.identity, seals: record.seals, vouchers: record.vouchers, unknown: record.unknown,
            under: kek)
    }
}

/// As `RecordTarget`, for what etcd gives back.
struct PublicationTarget: FuzzTarget {
    let name = "publication"

    func seeds() throws -> [[UInt8]] {
        let active = try Sample.record()
        return [
            try Publication(active: active, prepared: nil, under: Sample.kek(1)).encoded,
            try Publication(active: active, prepared: Sample.record(generation: 2), under: Sample.kek(1)).encoded,
        ]
    }

    func run(_ bytes: [UInt8]) {
        guard let publication = try? Publication(decoding: bytes) else { return }
        Fuzz.check(publication.encoded == bytes, "accepted bytes are not the encoding")
        _ = publication.keyID()
    }
}
