import Testing

@testable import KMSServer

@Suite("What kube-apiserver checks")
struct ContractRulesTests {
    @Test("of Status: version and key_id")
    func status() {
        #expect(ContractRules.status(version: "v2", keyID: "k").isEmpty)
        #expect(ContractRules.status(version: "v2beta1", keyID: String(repeating: "k", count: 1024)).isEmpty)
        #expect(ContractRules.status(version: "v3", keyID: "").count == 2)
        #expect(
            ContractRules.status(version: "v2", keyID: String(repeating: "é", count: 513))
                == ["key_id has 1026 bytes, at most 1024 are allowed"])
    }

    @Test("of Encrypt: the sizes")
    func sizes() {
        func violations(_ ciphertext: Int, _ annotation: Int) -> Int {
            let annotations = [KMSAnnotation(key: "a.b", value: Array(repeating: 0, count: annotation))]
            let bytes = [UInt8](repeating: 0, count: ciphertext)
            return ContractRules.encrypt(ciphertext: bytes, keyID: "k", annotations: annotations).count
        }
        #expect(violations(1, 32 * 1024 - 3) == 0)
        #expect(violations(1024, 0) == 0)
        #expect(violations(0, 0) == 1)
        #expect(violations(1025, 32 * 1024 - 2) == 2)
    }

    @Test("of v1beta1: the version and the size")
    func v1() {
        #expect(ContractRules.version("v1beta1").isEmpty)
        #expect(ContractRules.version("v1") == ["the version is \"v1\" instead of v1beta1"])
        #expect(ContractRules.v1Encrypt(cipher: Array(repeating: 0, count: 65535)).isEmpty)
        #expect(ContractRules.v1Encrypt(cipher: []).count == 1)
        #expect(ContractRules.v1Encrypt(cipher: Array(repeating: 0, count: 65536)).count == 1)
    }

    @Test(
        "of an annotation's key, when it is right",
        arguments: ["a.b", "kek.trousseau", "a.b.", "1.2", "a-b.c--d", "x." + String(repeating: "y", count: 63)])
    func domainNames(_ name: String) {
        #expect(ContractRules.isDomainName(name))
    }

    @Test(
        "of an annotation's key, when it is wrong",
        arguments: [
            "", ".", "a", "a.", "a..b", ".a.b", "a.b..", "A.b", "a.b/c", "example.com/kek", "a_b.c", "-a.b", "a-.b",
            "a.b-", "a.b c", "é.b", "x." + String(repeating: "y", count: 64),
            Array(repeating: "abcdefg", count: 32).joined(separator: "."),
        ])
    func otherNames(_ name: String) {
        #expect(!ContractRules.isDomainName(name))
    }

    @Test("never shows a plugin's text as it came")
    func escapes() {
        let violations = ContractRules.encrypt(
            ciphertext: [1], keyID: "k", annotations: [KMSAnnotation(key: "a\u{1b}[2J\u{202e}/b", value: [])])
        #expect(violations.count == 1 && violations[0].contains("\"a\\u{1b}[2J\\u{202e}/b\""))
        #expect(PeerText.clean(Array(repeating: UInt8(ascii: "x"), count: 1025)).utf8.count == 1024 + 3)
        #expect(PeerText.clean([0xff, 0x41]) == "\u{fffd}A")
    }
}
