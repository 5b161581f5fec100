import Testing

@testable import Keyring

@Suite struct RecordTests {
    @Test func isReadBack() throws {
        let kek = try Sample.kek(1)
        let record = try Sample.record(
            kek, generation: 3, voucherFloor: 1, vouchedBy: [(try Sample.kek(2), 2), (try Sample.kek(3), 1)]
        ).removing("vault:bb", under: kek)
        let decoded = try Record(decoding: record.encoded)
        #expect(decoded == record)
        #expect(decoded.isAuthentic(under: kek))
        #expect(decoded.identity.generation == 3)
        #expect(decoded.liveSeals == [Sample.seal(kek, to: "pkcs11:aa")])
        #expect(decoded.entry(for: "vault:bb")?.isTombstone == true)
    }

    @Test func everyDamageIsAnErrorOrNotAuthentic() throws {
        let kek = try Sample.kek(1)
        let record = try Sample.record(kek, generation: 2, vouchedBy: [(try Sample.kek(2), 1)])
        for damaged in everyDamage(record.encoded) {
            guard let other = try? Record(decoding: damaged) else { continue }
            #expect(other.encoded == damaged)
            #expect(!other.isAuthentic(under: kek))
        }
    }

    @Test func garbageIsRefused() {
        var generator = SeededGenerator(5)
        for _ in 0..<3000 {
            let garbage = generator.bytes(Int.random(in: 0...120, using: &generator))
            #expect(formatError { _ = try Record(decoding: garbage) } != nil)
            #expect(formatError { _ = try Publication(decoding: garbage) } != nil)
        }
    }

    @Test func otherEncodingsOfTheSameAreRefused() throws {
        let record = try Sample.record(try Sample.kek(1)).encoded
        // A field twice, an empty one, a longer varint for a length, fields in another order.
        let mac = Array(record.suffix(34))
        let body = Array(record.dropLast(34))
        #expect(mac.starts(with: [15 << 3 | 2, 32]))
        let longer = Array(record.prefix(1)) + [record[1] | 0x80, 0x00] + record.dropFirst(2)
        for other in [record + mac, body + [15 << 3 | 2, 0] + mac, mac + body, longer] {
            #expect(formatError { _ = try Record(decoding: other) }?.code == .malformed)
        }
    }

    @Test func partsOutOfOrderOrTwiceAreRefused() throws {
        let kek = try Sample.kek(1)
        let identity = try Sample.identity(kek)
        let a = try SharedSeal(Sample.seal(kek, to: "pkcs11:aa"), counter: 1)
        #expect(throws: FormatError.self) {
            try Record(identity: identity, seals: [a, a], vouchers: [], unknown: [], under: kek)
        }
        let record = try Sample.record(kek, recipients: ["a:a", "a:b"]).encoded
        let one = try Sample.record(kek, recipients: ["a:a"]).encoded
        let size = record.count - one.count
        let start = one.count - 34 - size
        let swapped = Array(
            record[..<start] + record[(start + size)..<(start + 2 * size)] + record[start..<(start + size)]
                + record[(start + 2 * size)...])
        #expect(swapped.count == record.count && swapped != record)
        #expect(formatError { _ = try Record(decoding: swapped) }?.reason.contains("out of order") == true)
    }

    @Test func boundsAreHeld() throws {
        let kek = try Sample.kek(1)
        let identity = try Sample.identity(kek)
        func make(_ seals: [Seal]) throws -> Record { try Record.make(identity, kek: kek, seals: seals, vouchers: []) }
        func seal(_ id: String, count: Int = 1, description: Int = 0) -> Seal {
            let recipient = Recipient(id: id, kind: "a", description: [UInt8](repeating: 1, count: description))
            return Seal(recipient: recipient, kekID: kek.id, bytes: [UInt8](repeating: 1, count: count))
        }
        #expect(try make((1...32).map { seal("a:\($0)") }).seals.count == 32)
        #expect(formatError { _ = try make((1...33).map { seal("a:\($0)") }) }?.code == .tooLarge)
        #expect(try make([seal("a:a", count: 2048, description: 512)]).seals.count == 1)
        #expect(formatError { _ = try make([seal("a:a", count: 2049)]) }?.code == .tooLarge)
        #expect(formatError { _ = try make([seal("a:a", count: 0)]) }?.code == .malformed)
        #expect(formatError { _ = try make([seal("a:a", description: 513)]) }?.code == .tooLarge)
        #expect(formatError { _ = try make((1...4).map { seal("a:\($0)", count: 2048) }) }?.code == .tooLarge)
        let long = [UInt8](repeating: 0, count: 8193)
        #expect(formatError { _ = try Record(decoding: long) }?.code == .tooLarge)
        #expect(formatError { _ = try Publication(decoding: long) }?.code == .tooLarge)
    }

    @Test(arguments: [
        ("", "a:a"), ("a", "a:"), ("a", "b:a"), ("a", "a"), ("A", "A:a"), ("a", "a:A"), ("a", "a:a/b"), ("1", "1:a"),
        ("a", "a:a b"), ("a\n", "a\n:b"), ("a", "a:" + String(repeating: "x", count: 65)), ("-a", "-a:a"),
    ]) func recipientsThatAreNotPrintableNamesAreRefused(kind: String, id: String) throws {
        let kek = try Sample.kek(1)
        let seal = Seal(recipient: Recipient(id: id, kind: kind, description: []), kekID: kek.id, bytes: [1])
        #expect(throws: FormatError.self) {
            try Record.make(try Sample.identity(kek), kek: kek, seals: [seal], vouchers: [])
        }
    }

    @Test func unknownKindsAreKept() throws {
        let kek = try Sample.kek(1)
        let record = try Sample.record(kek, recipients: ["quantum-hsm:aa"])
        #expect(try Record(decoding: record.encoded).liveSeals.first?.recipient.kind == "quantum-hsm")
    }

    @Test func anotherKEKsSealIsRefused() throws {
        let (kek, other) = (try Sample.kek(1), try Sample.kek(2))
        let record = try Sample.record(kek)
        #expect(
            formatError { _ = try record.setting(Sample.seal(other, to: "pkcs11:aa"), under: kek) }?.code == .conflict)
        #expect(formatError { _ = try record.removing("pkcs11:aa", under: other) }?.code == .notAuthentic)
        #expect(!record.isAuthentic(under: other))
    }

    @Test func changesCountUp() throws {
        let kek = try Sample.kek(1)
        var record = try Sample.record(kek, recipients: ["pkcs11:aa"])
        #expect(record.entry(for: "pkcs11:aa")?.counter == 1)
        record = try record.removing("pkcs11:aa", under: kek)
        #expect(record.entry(for: "pkcs11:aa")?.counter == 2)
        #expect(record.liveSeals.isEmpty)
        #expect(formatError { _ = try record.removing("pkcs11:aa", under: kek) }?.code == .conflict)
        record = try record.setting(Sample.seal(kek, to: "pkcs11:aa"), under: kek)
        #expect(record.entry(for: "pkcs11:aa")?.counter == 3)
        #expect(record.liveSeals.count == 1 && record.isAuthentic(under: kek))
    }

    @Test func aCounterAtItsEndIsAnError() throws {
        let kek = try Sample.kek(1)
        let last = try SharedSeal(Sample.seal(kek, to: "a:a"), counter: .max)
        let record = try Record(
            identity: try Sample.identity(kek), seals: [last], vouchers: [], unknown: [], under: kek)
        #expect(formatError { _ = try record.removing("a:a", under: kek) }?.code == .tooLarge)
    }
}
