import TestSupport
import Testing

@Suite("Broken configurations through the program", .serialized)
struct BrokenConfigurationTests {
    private static let good = """
        apiVersion: trousseau/v1alpha1
        kind: PluginConfiguration
        keyring:
          name: prod
          directory: /nonexistent/trousseau/keyring
          minimumSeals: 1
        server:
          socket:
            path: /nonexistent/trousseau/kms.sock
            mode: "0660"
            owner: 0
            group: 0
            allowUsers: [0]
            allowGroups: [0]
            allowAbstract: false
          control:
            path: /nonexistent/control/control.sock
            mode: "0600"
            owner: 0
            group: 0
            allowUsers: [0]
          allowUnlockedMemory: false
        backends:
        - name: rack-hsm
          unsealOnly: false
          deadline: 10s
          pkcs11:
            module: /nonexistent/module.so
            key: "pkcs11:token=trousseau;object=kek-sealer"
            pinSource: /nonexistent/pin
            maxSessions: 4
            allowUnsafeKey: false
            allowPINCountLow: false
        """

    /// A line of the configuration with a value of its own.
    private struct Leaf: Sendable {
        /// From 1.
        let line: Int
        let path: String
        /// Up to the key.
        let indentation: String
        let key: String
        let value: String
    }

    /// One way to break a line, and what has to be said in which line after it.
    private struct Break: Sendable {
        let text: @Sendable (Leaf) -> String
        let said: @Sendable (Leaf) -> String
    }

    private static let breaks = [
        Break(
            text: { "\($0.indentation)\($0.key)x: \($0.value)" },
            said: { "\($0.line): \($0.path)x: unknown key" }),
        Break(
            text: { "\($0.indentation)\($0.key): \($0.value)\n\(blank($0.indentation))\($0.key): \($0.value)" },
            said: { "\($0.line + 1): \($0.path): occurs twice, first in line \($0.line)" }),
        Break(
            text: { "\($0.indentation)\($0.key): {a: \($0.value)}" },
            said: { "\($0.line): \($0.path): expected " }),
        Break(
            text: { "\($0.indentation)\($0.key): &name \($0.value)" },
            said: { "\($0.line): \($0.path): anchors (&name) and aliases (*name) are not allowed" }),
        Break(
            text: { "\($0.indentation)\($0.key):" },
            said: { "\($0.line): \($0.path): has no value" }),
    ]

    /// The item's dash belongs to its first key only.
    private static func blank(_ indentation: String) -> String { String(repeating: " ", count: indentation.count) }

    @Test("each gives file, line, key and reason, exit code 3, and nothing is opened")
    func everyBreak() async throws {
        try await TestScope.with { scope in
            let file = scope.path("config.yaml")
            let lines = BrokenConfigurationTests.good.split(separator: "\n").map(String.init)
            var count = 0
            for leaf in BrokenConfigurationTests.leaves(lines) {
                for (number, way) in BrokenConfigurationTests.breaks.enumerated() {
                    var broken = lines
                    broken[leaf.line - 1] = way.text(leaf)
                    try Files.write(broken.joined(separator: "\n"), to: file)
                    // Any command that reads the configuration; only some may say more.
                    let command = ["serve", "init", "doctor", "status", "stop"][number % 5]
                    let result = try await ChildProcess.run(try Program.path, [command, "--config", file])
                    let said = "\(file):\(way.said(leaf))"
                    #expect(result.exit == .code(3), "\(command): \(broken[leaf.line - 1]): \(result.text)")
                    #expect(result.errors.contains("\n" + said), "\(said) is not in: \(result.errors)")
                    #expect(result.output.isEmpty)
                    #expect(result.errors.hasPrefix("trousseau: the configuration is refused: "))
                    count += 1
                }
            }
            #expect(count >= 100)
            #expect(try Files.list(scope.directory) == ["config.yaml"])
        }
    }

    @Test("what is no configuration at all")
    func nonsense() async throws {
        try await TestScope.with { scope in
            for text in ["", "\u{0}", "[]", "text", "{", "\t", "--- a\n--- b", "a: &a [*a]", "\u{feff}"] {
                try Files.write(text, to: scope.path("c"))
                let result = try await ChildProcess.run(try Program.path, ["serve", "--config", scope.path("c")])
                #expect(result.exit == .code(3), "\(Array(text.utf8)): \(result.text)")
                #expect(result.errors.contains(scope.path("c")))
            }
            let folder = try await ChildProcess.run(try Program.path, ["serve", "--config", scope.directory])
            #expect(folder.exit == .code(3))
            let nowhere = try await ChildProcess.run(try Program.path, ["serve", "--config", scope.path("none")])
            #expect(nowhere.exit == .code(3))
            #expect(nowhere.errors.contains(scope.path("none")))
        }
    }

    @Test("everything that is wrong is said at once, and a PIN in the wrong place is not repeated")
    func allAtOnce() async throws {
        try await TestScope.with { scope in
            let file = scope.path("config.yaml")
            let text = BrokenConfigurationTests.good
                .replacing("minimumSeals: 1", with: "minimumSeals: 40")
                .replacing("deadline: 10s", with: "deadline: 1x")
                .replacing("pinSource: /nonexistent/pin", with: "pin: very-secret-77")
            try Files.write(text, to: file)
            let result = try await ChildProcess.run(try Program.path, ["serve", "--config", file])
            #expect(result.exit == .code(3))
            for place in [":6: keyring.minimumSeals: ", ":26: backends[0].deadline: ", ":30: backends[0].pkcs11.pin: "]
            {
                #expect(result.errors.contains(file + place), "\(place): \(result.errors)")
            }
            #expect(!result.text.contains("very-secret"))
        }
    }

    /// The lines with a value, with the paths that the program shows.
    private static func leaves(_ lines: [String]) -> [Leaf] {
        var leaves: [Leaf] = []
        var parents: [(indentation: Int, path: String)] = []
        for (index, line) in lines.enumerated() {
            let indentation = String(line.prefix { $0 == " " || $0 == "-" })
            let parts = line.dropFirst(indentation.count).split(separator: ":", maxSplits: 1)
            let key = String(parts[0])
            while let last = parents.last, last.indentation >= indentation.count { parents.removeLast() }
            let parent = parents.last?.path ?? ""
            let path = parent.isEmpty ? key : "\(parent).\(key)"
            let value = parts.count == 2 ? String(parts[1].drop { $0 == " " }) : ""
            if value.isEmpty {
                parents.append((indentation.count, path == "backends" ? "backends[0]" : path))
            } else {
                leaves.append(Leaf(line: index + 1, path: path, indentation: indentation, key: key, value: value))
            }
        }
        return leaves
    }
}
