import Testing

@testable import Keyring

@Suite struct AdoptionTests {
    private let keks: [KEK]

    init() throws {
        keks = try (0..<5).map { try Sample.kek(UInt8($0) * 40) }
    }

    private func trusted(_ index: Int, generation: UInt64, floor: UInt64 = 0) throws -> TrustedKEK {
        let kek = keks[index]
        let identity = try Sample.identity(kek, generation: generation, voucherFloor: floor)
        return try #require(TrustedKEK(identity, kek))
    }

    @Test func aKEKIsOnlyTrustedUnderItsOwnName() throws {
        #expect(TrustedKEK(try Sample.identity(keks[0]), keks[1]) == nil)
    }

    @Test func aVoucherCountsUnderItsOwnKEKGenerationAndIdentity() throws {
        let identity = try Sample.identity(keks[1], generation: 2)
        let voucher = try Voucher(for: identity, by: keks[0], generation: 1)
        #expect(voucher.isValid(for: identity, by: keks[0], generation: 1))
        #expect(!voucher.isValid(for: identity, by: keks[1], generation: 1))
        #expect(!voucher.isValid(for: identity, by: keks[0], generation: 2))
        let other = try Sample.identity(keks[1], generation: 3)
        #expect(!voucher.isValid(for: other, by: keks[0], generation: 1))
        let raised = try Sample.identity(keks[1], generation: 2, voucherFloor: 1)
        #expect(!voucher.isValid(for: raised, by: keks[0], generation: 1))
        #expect(formatError { _ = try Voucher(for: identity, by: keks[0], generation: 2) }?.code == .conflict)
    }

    @Test func aRecordIsBelievedForATrustedVoucherAtOrAboveTheFloor() throws {
        let record = try Sample.record(keks[3], generation: 4, vouchedBy: [(keks[0], 1), (keks[1], 2)])
        let one = try trusted(0, generation: 1)
        let two = try trusted(1, generation: 2)
        let three = try trusted(2, generation: 3)
        func voucher(_ trusted: [TrustedKEK], _ floor: UInt64) -> UInt64? {
            AdoptionRules.voucher(for: record, among: trusted, floor: floor)?.identity.generation
        }
        #expect(voucher([one, two, three], 0) == 2)
        #expect(voucher([one, three], 0) == 1)
        #expect(voucher([one, two, three], 2) == 2)
        #expect(voucher([one, two, three], 3) == nil)
        #expect(voucher([one], 2) == nil)
        #expect(voucher([three], 0) == nil)
        #expect(voucher([], 0) == nil)
    }

    @Test func anotherKeyringsRecordIsNotBelieved() throws {
        let other = try Sample.identity(keks[1], generation: 2, keyring: try Sample.keyring("other"))
        let voucher = try Voucher(for: other, by: keks[0], generation: 1)
        let record = try Record.make(
            other, kek: keks[1], seals: [Sample.seal(keks[1], to: "a:a")], vouchers: [voucher])
        #expect(AdoptionRules.voucher(for: record, among: [try trusted(0, generation: 1)], floor: 0) == nil)
    }

    @Test func aNodeFollowsOnlyWhatItsActiveKEKVouchesFor() throws {
        let active = try trusted(0, generation: 10)
        func activation(
            _ index: Int, generation: UInt64, vouchedBy: [(kek: KEK, generation: UInt64)]
        ) throws -> AdoptionRules.Activation {
            let record = try Sample.record(keks[index], generation: generation, vouchedBy: vouchedBy)
            let publication = try Publication(active: record, prepared: nil, under: keks[index])
            return AdoptionRules.activation(of: publication, candidate: keks[index], active: active)
        }
        #expect(try activation(0, generation: 10, vouchedBy: []) == .current)
        #expect(try activation(1, generation: 11, vouchedBy: [(keks[0], 10)]) == .follow)
        #expect(try activation(1, generation: 74, vouchedBy: [(keks[0], 10)]) == .follow)
        #expect(try activation(1, generation: 75, vouchedBy: [(keks[0], 10)]) == .tooFar)
        #expect(try activation(1, generation: .max, vouchedBy: [(keks[0], 10)]) == .tooFar)
        #expect(try activation(1, generation: 11, vouchedBy: [(keks[2], 10)]) == .notVouched)
        #expect(try activation(1, generation: 11, vouchedBy: []) == .notVouched)
        #expect(try activation(1, generation: 10, vouchedBy: []) == .rival)
        #expect(try activation(1, generation: 9, vouchedBy: []) == .earlier)
    }

    @Test func aPublicationWithAnotherMACIsNotFollowed() throws {
        let active = try trusted(0, generation: 1)
        let record = try Sample.record(keks[1], generation: 2, vouchedBy: [(keks[0], 1)])
        let publication = try Publication(active: record, prepared: nil, under: keks[1])
        #expect(AdoptionRules.activation(of: publication, candidate: keks[0], active: active) == .notAuthentic)
        var bytes = publication.encoded
        bytes[bytes.count - 1] ^= 1
        let forged = try Publication(decoding: bytes)
        #expect(AdoptionRules.activation(of: forged, candidate: keks[1], active: active) == .notAuthentic)
    }
}
