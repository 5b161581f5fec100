import Testing

@testable import Keyring

@Suite struct KeyIDTests {
    private func keyID() throws -> KeyID {
        let kek = try Sample.kek(1)
        return try Publication(active: try Sample.record(kek, generation: 7), prepared: nil, under: kek).keyID()
    }

    @Test func isReadBack() throws {
        let keyID = try keyID()
        #expect(try KeyID(keyID.text) == keyID)
        #expect(keyID.text.hasPrefix("prod/7/\(try Sample.kek(1).id)/"))
        #expect(keyID.text.utf8.count <= KeyID.maximumSize)
    }

    @Test(arguments: [
        "", "/", "///", "prod/1/aaaaaaaaaaaaaaaa", "prod/1/aaaaaaaaaaaaaaaa/", "prod/1/aaaaaaaaaaaaaaaa/aaaaaaa",
        "prod/1/aaaaaaaaaaaaaaaa/aaaaaaaaa", "prod/1/aaaaaaaaaaaaaaa/aaaaaaaa", "prod/0/aaaaaaaaaaaaaaaa/aaaaaaaa",
        "prod/01/aaaaaaaaaaaaaaaa/aaaaaaaa", "prod/+1/aaaaaaaaaaaaaaaa/aaaaaaaa", "prod//aaaaaaaaaaaaaaaa/aaaaaaaa",
        "prod/18446744073709551616/aaaaaaaaaaaaaaaa/aaaaaaaa", "Prod/1/aaaaaaaaaaaaaaaa/aaaaaaaa",
        "prod/1/AAAAAAAAAAAAAAAA/aaaaaaaa", "prod/1/aaaaaaaaaaaaaaa1/aaaaaaaa", "-prod/1/aaaaaaaaaaaaaaaa/aaaaaaaa",
        "prod-/1/aaaaaaaaaaaaaaaa/aaaaaaaa", "prod/1/aaaaaaaaaaaaaaaa/aaaaaaaa/", "/prod/1/aaaaaaaaaaaaaaaa/aaaaaaaa",
        "prod/1/aaaaaaaaaaaaaaaa/aaaaaaaa\n", "pröd/1/aaaaaaaaaaaaaaaa/aaaaaaaa", "prod/１/aaaaaaaaaaaaaaaa/aaaaaaaa",
    ]) func otherSpellingsAreRefused(text: String) {
        #expect(formatError { _ = try KeyID(text) }?.code == .malformed)
    }

    @Test func theLongestOneFits() throws {
        let name = String(repeating: "a", count: 63)
        let text = "\(name)/18446744073709551615/aaaaaaaaaaaaaaaa/aaaaaaaa"
        #expect(text.utf8.count == KeyID.maximumSize)
        #expect(try KeyID(text).text == text)
        #expect(formatError { _ = try KeyID("a" + text) } != nil)
    }

    @Test func everyDamageIsAnErrorOrAnotherKeyID() throws {
        let keyID = try keyID()
        for damaged in everyDamage(Array(keyID.text.utf8)) {
            guard let other = try? KeyID(damaged) else { continue }
            #expect(other != keyID)
            #expect(Array(other.text.utf8) == damaged)
        }
    }

    @Test func matcherTakesAnyPublicationOfItsKEKAndNothingElse() throws {
        let kek = try Sample.kek(1)
        let matcher = KeyIDMatcher(try Sample.identity(kek, generation: 7))
        func matches(_ bytes: [UInt8]) -> Bool { bytes.withUnsafeBytes { matcher.matches($0) } }
        let text = Array(try keyID().text.utf8)
        #expect(matches(text))
        #expect(matches(Array("prod/7/\(kek.id)/zzzzzzzz".utf8)))
        for damaged in everyDamage(text) {
            let expected = (try? KeyID(damaged)).map {
                $0.kek == "\(kek.id)" && $0.generation == 7 && $0.name == "prod"
            }
            #expect(matches(damaged) == (expected ?? false))
        }
    }

    @Test func namesAreThoseOfRFC1123Labels() {
        for name in ["a", "0", "a-b", "a--b", String(repeating: "x", count: 63)] {
            #expect(KeyringIdentity.isName(name.utf8))
        }
        for name in ["", "-", "a-", "-a", "A", "a.b", "a/b", "a b", "ä", String(repeating: "x", count: 64)] {
            #expect(!KeyringIdentity.isName(name.utf8))
        }
    }
}
