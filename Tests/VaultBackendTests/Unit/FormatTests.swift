import Keyring
import TestSupport
import Testing

@testable import VaultBackend

@Suite("Vault's formats")
struct FormatTests {
    @Test("a description reads as it was written, and nothing else does")
    func description() throws {
        let description = KeyDescription(mount: "team/transit", key: "kek", version: 3, created: 1_795_626_823)
        let bytes = description.encoded
        #expect(KeyDescription(bytes) == description)
        for index in bytes.indices {
            #expect(KeyDescription(Array(bytes[..<index])) == nil)
            var changed = bytes
            changed[index] ^= 1
            #expect(KeyDescription(changed).map { $0 != description } ?? true)
        }
        #expect(KeyDescription(bytes + [0]) == nil && KeyDescription([]) == nil)
        let longest = String(repeating: "m", count: 128)
        let long = KeyDescription(mount: "\(longest)/\(longest)", key: longest, version: .max, created: .max)
        #expect(long.encoded.count <= 512 && KeyDescription(long.encoded) == long)
    }

    @Test("each part of a key's identity makes another recipient")
    func identity() throws {
        let one = KeyDescription(mount: "transit", key: "kek", version: 1, created: 5)
        let others = [
            KeyDescription(mount: "transit2", key: "kek", version: 1, created: 5),
            KeyDescription(mount: "transit", key: "kek2", version: 1, created: 5),
            KeyDescription(mount: "transit", key: "kek", version: 2, created: 5),
            KeyDescription(mount: "transit", key: "kek", version: 1, created: 6),
            KeyDescription(mount: "transitk", key: "ek", version: 1, created: 5),
        ]
        let ids = try Set(([one] + others).map { try $0.recipient().id })
        #expect(ids.count == 6)
        #expect(ids.allSatisfy { $0.hasPrefix("vault:") && $0.utf8.count == 32 })
    }

    @Test("are those of docs/formats.md")
    func document() throws {
        let text = try Files.readText(PackageSources.root + "/docs/formats.md")
        let description = KeyDescription(mount: "transit", key: "trousseau", version: 1, created: 1_795_626_823)
        let recipient = try description.recipient()
        let hex = description.encoded.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        #expect(text.contains("recipientID = \"\(recipient.id)\""))
        #expect(text.filter { !$0.isWhitespace }.contains("description=\(hex)"))
    }

    @Test("the commands of docs/vault.md write no file that is open to everybody, not even for a moment")
    func commands() throws {
        let text = try Files.readText(PackageSources.root + "/docs/vault.md")
        var writes = 0
        // Every other part is between ``` and ```.
        for (index, block) in text.split(separator: "```", omittingEmptySubsequences: false).enumerated()
        where index % 2 == 1 {
            var isMasked = false
            for line in block.split(separator: "\n") {
                if line == "umask 077" { isMasked = true }
                guard line.contains(" > ") else { continue }
                writes += 1
                #expect(isMasked, "\(line)")
            }
        }
        #expect(writes >= 2)
    }

    @Test(
        "a seal tells the version that made it",
        arguments: [
            ("vault:v1:AAAA", 1), ("vault:v12:AAAA", 12), ("bao:v3:x", 3), ("a:b:v2:x", 2), ("my-v1:v7:x", 7),
        ])
    func seal(_ text: String, _ version: Int) throws {
        let seal = try VaultSeal(Array(text.utf8))
        #expect(seal.version == version && seal.encoded == Array(text.utf8))
    }

    @Test(
        "what is no string of Vault's is no seal",
        arguments: [
            "", "vault", "vault:", "vault:v1", "vault:v0:x", "vault:v01:x", "vault:v-1:x", "vault:1:x", "vault:v1:a b",
            "vault:v1:\n", "vault:v1:\"", "vault:v1:\\", "vault:v1:é", "vault:v1:\u{0}", "vault:v+1:x",
            "vault:v99999999999999999999:x", String(repeating: "a", count: 2040) + ":v1:xxxxx",
        ])
    func noSeal(_ text: String) {
        #expect(throws: VaultError.self) { try VaultSeal(Array(text.utf8)) }
    }
}
