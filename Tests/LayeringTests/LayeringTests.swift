internal import TestSupport
internal import Testing

@Suite("Layering")
struct LayeringTests {
    private static let sources = PackageSources.root + "/Sources"
    private static let longestFile = 400

    @Test("every file imports only what its module may, and says for whom")
    func imports() throws {
        var files = 0
        for module in try Files.list(LayeringTests.sources) {
            for path in try PackageSources.swiftFiles(in: LayeringTests.sources + "/" + module) {
                files += 1
                let imports = ImportDeclaration.all(in: try Files.readText(path))
                for violation in Layering.violations(in: imports, of: module) {
                    Issue.record("\(relative(path)):\(violation.line): \(violation.reason)")
                }
            }
        }
        #expect(files > 50, "the sources were not found")
    }

    @Test("no file is longer than 400 lines")
    func lengths() throws {
        for path in try PackageSources.swiftFiles(in: LayeringTests.sources) {
            let lines = try Files.read(path).count { $0 == UInt8(ascii: "\n") }
            if lines > LayeringTests.longestFile {
                Issue.record("\(relative(path)):\(LayeringTests.longestFile + 1): \(lines) lines: what does it hide?")
            }
        }
    }

    @Test("imports are found in every spelling, and not in comments and texts")
    func parsing() {
        let source = """
            // import A
            /* import B
               /* import C */ import D
            */ internal import E
            @testable @_exported public import F
            import struct G.H
            \tprivate import I.J; internal import K // import L
            let text = \"""
                import M
                \"""
            let important = 1
            important()
            fileprivate import N
            """
        #expect(
            ImportDeclaration.all(in: source) == [
                ImportDeclaration(line: 4, access: "internal", module: "E"),
                ImportDeclaration(line: 5, attributes: ["@testable", "@_exported"], access: "public", module: "F"),
                ImportDeclaration(line: 6, access: nil, module: "G"),
                ImportDeclaration(line: 7, access: "private", module: "I"),
                ImportDeclaration(line: 7, access: "internal", module: "K"),
                ImportDeclaration(line: 13, access: "fileprivate", module: "N"),
            ])
    }

    @Test(
        "what the table forbids is found",
        arguments: [
            ("internal import Keyring", "Crypto", "Crypto must not import Keyring"),
            ("internal import Foundation", "Plugin", "Plugin must not import Foundation"),
            ("internal import FoundationEssentials", "Keyring", "Keyring must not import FoundationEssentials"),
            ("internal import PKCS11Backend", "KMSServer", "KMSServer must not import PKCS11Backend"),
            ("internal import COpenSSL", "Plugin", "Plugin must not import COpenSSL"),
            ("import Glibc", "Crypto", "import Glibc needs an access level"),
            ("@testable internal import Crypto", "Keyring", "@testable import has no place in Sources"),
            ("", "Novelty", "module Novelty is not in the table of Tests/LayeringTests/Layering.swift"),
        ])
    func forbidden(_ source: String, _ module: String, _ reason: String) {
        let violations = Layering.violations(in: ImportDeclaration.all(in: source), of: module)
        #expect(violations.map(\.reason) == [reason])
    }

    @Test("the arrows of the table have no cycle")
    func acyclic() {
        var rest = Layering.allowed
        while let bottom = rest.first(where: { $0.value.isDisjoint(with: rest.keys) }) {
            rest[bottom.key] = nil
        }
        #expect(rest.isEmpty)
    }

    private func relative(_ path: String) -> String { String(path.dropFirst(PackageSources.root.count + 1)) }
}
