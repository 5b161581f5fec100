import Testing

@testable import Keyring

@Suite struct PublicationTests {
    private let kek: KEK
    private let next: KEK
    private let active: Record
    private let prepared: Record

    init() throws {
        kek = try Sample.kek(1)
        next = try Sample.kek(2)
        active = try Sample.record(kek)
        prepared = try Sample.record(next, generation: 2, vouchedBy: [(kek, 1)])
    }

    @Test func isReadBack() throws {
        for prepared in [nil, prepared] {
            let publication = try Publication(active: active, prepared: prepared, under: kek)
            let decoded = try Publication(decoding: publication.encoded)
            #expect(decoded == publication)
            #expect(decoded.isAuthentic(under: kek))
            #expect(!decoded.isAuthentic(under: next))
            #expect(decoded.keyID() == publication.keyID())
        }
    }

    @Test func everyDamageIsAnErrorOrNotAuthentic() throws {
        let publication = try Publication(active: active, prepared: prepared, under: kek)
        for damaged in everyDamage(publication.encoded) {
            guard let other = try? Publication(decoding: damaged) else { continue }
            #expect(other.encoded == damaged)
            #expect(!other.isAuthentic(under: kek))
        }
    }

    @Test func itsKeyIDChangesWithWhatItCarries() throws {
        let one = try Publication(active: active, prepared: nil, under: kek).keyID()
        let two = try Publication(active: active, prepared: prepared, under: kek).keyID()
        #expect(one.kek == two.kek && one.generation == two.generation)
        #expect(one.publication != two.publication)
    }

    @Test func recordsThatDoNotBelongTogetherAreRefused() throws {
        #expect(formatError { _ = try Publication(active: active, prepared: nil, under: next) }?.code == .conflict)
        #expect(formatError { _ = try Publication(active: prepared, prepared: active, under: next) }?.code == .conflict)
        #expect(formatError { _ = try Publication(active: active, prepared: active, under: kek) }?.code == .conflict)
        let elsewhere = try Record.make(
            try Sample.identity(next, generation: 2, keyring: try Sample.keyring("other")), kek: next,
            seals: [Sample.seal(next, to: "a:a")], vouchers: [])
        #expect(formatError { _ = try Publication(active: active, prepared: elsewhere, under: kek) }?.code == .conflict)
    }

    @Test func moreThanEightThousandBytesAreRefused() throws {
        func large(_ kek: KEK, generation: UInt64) throws -> Record {
            let seals = (1...3).map { index in
                Seal(
                    recipient: Sample.recipient("a:\(index)"), kekID: kek.id,
                    bytes: [UInt8](repeating: 1, count: 1800))
            }
            return try Record.make(
                try Sample.identity(kek, generation: generation), kek: kek, seals: seals, vouchers: [])
        }
        let (one, two) = (try large(kek, generation: 1), try large(next, generation: 2))
        #expect(try Publication(active: one, prepared: nil, under: kek).encoded.count > Publication.warningSize)
        #expect(formatError { _ = try Publication(active: one, prepared: two, under: kek) }?.code == .tooLarge)
    }

    @Test func rolesAreOfTheActiveKEK() throws {
        let roles = try Roles(active: active.identity, prepared: prepared.identity, under: kek)
        #expect(roles.isAuthentic(under: kek))
        #expect(!roles.isAuthentic(under: next))
        let exchanged = Roles(keyring: roles.keyring, active: roles.active, prepared: nil, mac: roles.mac)
        #expect(!exchanged.isAuthentic(under: kek))
        #expect(formatError { _ = try Roles(active: active.identity, prepared: nil, under: next) }?.code == .conflict)
        #expect(
            formatError { _ = try Roles(active: active.identity, prepared: active.identity, under: kek) }?.code
                == .conflict)
    }
}
