import Testing

@testable import Keyring

@Suite struct StoreFormatTests {
    @Test func recordFilesAreReadBack() throws {
        for count in 0...32 {
            let kek = try Sample.kek(UInt8(count))
            let record = try Sample.record(kek, recipients: (0..<count).map { "a:\($0)" })
            #expect(try RecordFile.decode(RecordFile.encode(record)) == record)
        }
    }

    @Test func recordFilesSayWhatTheyHold() throws {
        let kek = try Sample.kek(1)
        let record = try Sample.record(kek, generation: 3, vouchedBy: [(try Sample.kek(2), 2)])
            .removing("vault:bb", under: kek)
        let text = String(decoding: RecordFile.encode(record), as: UTF8.self)
        for line in [
            "keyring:    prod (a0a1a2a3a4a5a6a7a8a9aaabacadaeaf)", "generation: 3", "created:    2025-11-24T16:00:00Z",
            "recipient:  pkcs11:aa", "recipient:  vault:bb (removed)", "voucher:    generation 2, ",
            "-----BEGIN TROUSSEAU KEYRING RECORD-----",
        ] { #expect(text.contains("\n" + line)) }
        #expect(text.split(separator: "\n").allSatisfy { $0.utf8.count <= 85 })
    }

    @Test func damagedRecordFilesAreRefusedOrHoldTheSameRecord() throws {
        let record = try Sample.record(try Sample.kek(1))
        let kek = try Sample.kek(1)
        for damaged in everyDamage(RecordFile.encode(record)) {
            // The explanation may be changed; the block may not.
            guard let other = try? RecordFile.decode(damaged) else { continue }
            #expect(other == record || !other.isAuthentic(under: kek))
        }
    }

    @Test func damagedRolesAreRefusedOrNotAuthentic() throws {
        let kek = try Sample.kek(1)
        let next = try Sample.identity(try Sample.kek(2), generation: 2)
        let roles = try Roles(active: try Sample.identity(kek), prepared: next, under: kek)
        let bytes = RolesFile.encode(roles)
        let rest = try #require(bytes.split(separator: 10, maxSplits: 1).last).count
        #expect(try RolesFile.decode(bytes) == roles)
        for damaged in everyDamage(bytes) {
            guard let other = try? RolesFile.decode(damaged) else { continue }
            // Only the comment may differ.
            #expect(other == roles || !other.isAuthentic(under: kek))
            if other == roles { #expect(damaged.suffix(rest) == bytes.suffix(rest)) }
        }
    }

    @Test func laterFormatsOfRolesAreNamed() throws {
        #expect(formatError { _ = try RolesFile.decode(Array("format: 2\nnew: x\n".utf8)) }?.code == .unsupported)
    }

    @Test func localSealsAreReadBackWithAnyBytes() throws {
        var generator = SeededGenerator(3)
        let kek = try Sample.kek(1)
        for count in [1, 2, 100, 16384] {
            let seal = Seal(
                recipient: Sample.recipient("tpm:aa", description: generator.bytes(count % 513)), kekID: kek.id,
                bytes: [10, 10] + generator.bytes(count).dropLast(2))
            #expect(try LocalSealFile.decode(LocalSealFile.encode(seal)) == seal)
        }
    }

    @Test func damagedHeadersOfLocalSealsAreRefusedOrNameAnother() throws {
        let seal = Sample.seal(try Sample.kek(1), to: "tpm:aa")
        let bytes = try LocalSealFile.encode(seal)
        for damaged in everyDamage(Array(bytes.dropLast(seal.bytes.count))) {
            guard let other = try? LocalSealFile.decode(damaged + seal.bytes) else { continue }
            #expect(other != seal)
        }
    }

    @Test(arguments: ["", "\n", "1", "0\n", "01\n", "-1\n", "1\n\n", " 1\n", "1 \n", "18446744073709551616\n", "x\n"])
    func otherSpellingsOfTheHighestGenerationAreRefused(text: String) {
        #expect(formatError { _ = try HighestFile.decode(Array(text.utf8)) } != nil)
    }

    @Test func theHighestGenerationIsReadBack() throws {
        for generation in [1, 10, UInt64.max] {
            #expect(try HighestFile.decode(HighestFile.encode(generation)) == generation)
        }
    }
}
