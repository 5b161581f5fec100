import Configuration
import Testing

@Suite("docs/configuration.md")
struct DocumentationTests {
    private let text: String

    init() throws {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        text = String(decoding: try BoundedFile.read("/\(root)/docs/configuration.md", limit: 1 << 20), as: UTF8.self)
    }

    @Test("has only examples that are accepted")
    func examples() throws {
        let blocks = text.split(separator: "```yaml\n").dropFirst().compactMap { $0.split(separator: "```").first }
        #expect(blocks.count == 2)
        let accounts = AccountNames(passwd: "root:x:0:0:::", group: "root:x:0:")
        for block in blocks {
            do throws(ConfigurationError) {
                _ = try PluginConfiguration.parse(Array(block.utf8), file: "docs", accounts: accounts)
            } catch {
                Issue.record("\(error.diagnostics)")
            }
        }
    }

    @Test(
        "tells the defaults",
        arguments: [
            "/var/lib/trousseau/keyring", "/run/trousseau/kms.sock", "/run/trousseau-control/control.sock", "`10s`",
            "`4`", "`text`", "`info`", "127.0.0.1:9441",
        ])
    func defaults(_ value: String) {
        #expect(text.contains(value))
    }
}
