import Testing

@testable import Keyring

@Suite struct UnknownFieldTests {
    private func record(_ fields: [UnknownField], in kek: KEK) throws -> Record {
        let live = SharedSeal.Live(description: [], seal: [1])
        let seal = try SharedSeal(recipientID: "a:a", counter: 1, kind: "a", live: live, unknown: fields)
        let voucher = try Voucher(
            kekID: try Sample.kek(9).id, generation: 1, mac: [UInt8](repeating: 1, count: 32), unknown: fields)
        return try Record(
            identity: try Sample.identity(kek, generation: 2), seals: [seal], vouchers: [voucher], unknown: fields,
            under: kek)
    }

    private static let fields = [
        UnknownField(number: 16, wireType: 0, bytes: [0x96, 0x01]),
        UnknownField(number: 16, wireType: 2, bytes: [3, 1, 2, 3]),
        UnknownField(number: 16, wireType: 2, bytes: [3, 1, 2, 4]),
        UnknownField(number: 17, wireType: 1, bytes: [1, 2, 3, 4, 5, 6, 7, 8]),
        UnknownField(number: 536_870_911, wireType: 5, bytes: [1, 2, 3, 4]),
    ]

    @Test func fieldsOfLaterVersionsAreKeptInEveryMessage() throws {
        let kek = try Sample.kek(1)
        let record = try record(Self.fields, in: kek)
        let decoded = try Record(decoding: record.encoded)
        #expect(decoded == record)
        #expect(decoded.unknown == Self.fields)
        #expect(decoded.seals[0].unknown == Self.fields)
        #expect(decoded.vouchers[0].unknown == Self.fields)
        #expect(try decoded.merged(with: record, under: kek) == record)
        #expect(try decoded.removing("a:a", under: kek).unknown == Self.fields)
    }

    @Test func theIdentityKeepsThem() throws {
        let kek = try Sample.kek(1)
        let identity = try Sample.identity(kek)
        // Field 8, varint 5.
        let later = try Identity(decoding: identity.encoded + [8 << 3, 5])
        let record = try Record.make(later, kek: kek, seals: [Sample.seal(kek, to: "a:a")], vouchers: [])
        #expect(try Record(decoding: record.encoded).identity.encoded == identity.encoded + [8 << 3, 5])
        #expect(later != identity)
    }

    @Test(arguments: [
        [UnknownField(number: 14, wireType: 0, bytes: [1])],
        [UnknownField(number: 17, wireType: 0, bytes: [1]), UnknownField(number: 16, wireType: 0, bytes: [1])],
        [UnknownField(number: 16, wireType: 0, bytes: [1]), UnknownField(number: 16, wireType: 0, bytes: [1])],
        [UnknownField(number: 16, wireType: 0, bytes: [0x81, 0x00])],
        [UnknownField(number: 16, wireType: 2, bytes: [0x81, 0x00, 1])],
    ]) func thoseThatAreNotCanonicalAreRefused(fields: [UnknownField]) throws {
        let kek = try Sample.kek(1)
        let encoded = try Record(
            identity: try Sample.identity(kek), seals: [], vouchers: [], unknown: fields, under: kek
        ).encoded
        #expect(formatError { _ = try Record(decoding: encoded) }?.code == .malformed)
    }

    @Test func aPublicationsMACCoversThem() throws {
        let kek = try Sample.kek(1)
        let publication = try Publication(active: try Sample.record(kek), prepared: nil, under: kek)
        // Field 16, length-delimited, empty.
        let extended = try Publication(decoding: publication.encoded + [0x82, 0x01, 0x00])
        #expect(!extended.isAuthentic(under: kek))
        #expect(publication.isAuthentic(under: kek))
    }
}
