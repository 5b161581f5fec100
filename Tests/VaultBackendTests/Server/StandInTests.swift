import TestSupport
import Testing

@testable import VaultBackend

extension VaultBackendSuites {
    @Suite("Vault's stand-in")
    struct StandInTests {
        /// A line of the table in Tests/VaultStandIn/README.md.
        private struct Line {
            let method: HTTPRequest.Method
            let path: String
            let body: String?
            let standIn: Int
            let real: Int

            init(_ match: Regex<(Substring, Substring, Substring, Substring?, Substring, Substring)>.Match) throws {
                guard let method = HTTPRequest.Method(rawValue: String(match.output.1)),
                    let standIn = Int(match.output.4), let real = Int(match.output.5)
                else { throw TestError("\(match.output.0)") }
                self.method = method
                path = String(match.output.2)
                body = match.output.3.map(String.init)
                self.standIn = standIn
                self.real = real
            }
        }

        @Test("takes more easily than Vault what its README says, and no more of it")
        func leniencies() async throws {
            let text = try Files.readText(PackageSources.root + "/Tests/VaultStandIn/README.md")
            let lines = try text.matches(of: /\| `([A-Z]+) ([^ `]+)(?: ([^`]+))?` \| (\d+) \| (\d+) \|/).map(Line.init)
            #expect(lines.count == text.split(separator: "\n").count { $0.hasPrefix("| `") })
            #expect(lines.count > 5)
            try await TestVault.with { vault in
                func own(_ text: String) -> String {
                    text.replacing("MOUNT", with: vault.mount).replacing("KEY", with: vault.key)
                }
                for line in lines {
                    let body = try line.body.map { RequestBody(try SecretText.plain(own($0))) }
                    let answer = try await vault.admin.ask(
                        line.method, own(line.path), body, token: vault.root, until: soon)
                    let wanted = vault.standIn == nil ? line.real : line.standIn
                    #expect(answer.status == wanted, "\(line.method.rawValue) \(line.path) \(line.body ?? "")")
                }
                if vault.standIn == nil { _ = try? await vault.asRoot(.delete, "sys/mounts/\(vault.mount)-kv") }
            }
        }
    }
}
