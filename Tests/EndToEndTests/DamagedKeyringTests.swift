import Glibc
import TestSupport
import Testing

@Suite("A damaged keyring", .serialized)
struct DamagedKeyringTests {
    @Test("a flipped byte in any file is an error that names the file; nothing is encrypted, nothing is repaired")
    func flippedBytes() async throws {
        try await TestScope.with { scope in
            let node = try await Node.make(scope)
            try await node.initialize()
            let server = try await node.apiServer()
            let files = try Snapshot.files(in: node.keyring)
            let record = try #require(files.first { $0.hasSuffix(".record") })
            let roles = try #require(files.first { $0.hasSuffix("/roles") })
            let highest = try #require(files.first { $0.hasSuffix("/highest") })
            for file in [record, roles, highest] {
                let whole = try Files.read(file)
                for position in try DamagedKeyringTests.positions(in: whole) {
                    var damaged = whole
                    damaged[position] ^= 1
                    try Files.write(damaged, to: file)
                    let story = try await refusal(node, server)
                    #expect(isNamed(file, in: story), "byte \(position) of \(file): \(story)")
                    #expect(try Files.read(file) == damaged, "byte \(position) of \(file) was repaired")
                }
                try Files.write(whole, to: file)
            }
            let plugin = try await node.serve()
            try await server.ask("boot")
            #expect(try await plugin.stop().exit == .code(0))
        }
    }

    @Test("a file that is gone, empty or cut short is an error that names it")
    func cutFiles() async throws {
        try await TestScope.with { scope in
            let node = try await Node.make(scope)
            try await node.initialize()
            let server = try await node.apiServer()
            for file in try Snapshot.files(in: node.keyring)
            where file.hasSuffix(".record") || file.hasSuffix("/roles") || file.hasSuffix("/highest") {
                let whole = try Files.read(file)
                for cut in [whole[..<0], whole[..<(whole.count / 2)], whole[..<(whole.count - 1)]] {
                    try Files.write(cut, to: file)
                    let story = try await refusal(node, server)
                    #expect(story.contains(file), "\(cut.count) bytes of \(file): \(story)")
                }
                try Files.remove(file)
                let story = try await refusal(node, server)
                #expect(story.contains(node.keyring), "without \(file): \(story)")
                #expect(!Files.exists(file), "\(file) was made again")
                try Files.write(whole, to: file)
            }
            let plugin = try await node.serve()
            try await server.ask("boot")
            #expect(try await plugin.stop().exit == .code(0))
        }
    }

    @Test("a keyring that others may write to, of another name, or behind a link is refused")
    func surroundings() async throws {
        try await TestScope.with { scope in
            let node = try await Node.make(scope)
            try await node.initialize()
            try Files.changeMode(node.keyring, to: 0o777)
            let open = try await node.run("serve")
            #expect(open.exit == .code(4))
            #expect(open.errors.contains("chmod 700 \(node.keyring)"))
            try Files.changeMode(node.keyring, to: 0o700)

            let text = try Files.readText(node.configuration)
            try Files.write(text.replacing("name: e2e", with: "name: other"), to: node.configuration)
            let other = try await node.run("serve")
            #expect(other.exit == .code(4))
            #expect(other.errors.contains("other") && other.errors.contains("e2e"))
            try Files.write(text, to: node.configuration)
            let plugin = try await node.serve()
            #expect(try await plugin.stop().exit == .code(0))
        }
    }

    /// Starts the plugin and sees to it that nothing is encrypted. Returns all that was said.
    private func refusal(_ node: Node, _ server: APIServer) async throws -> String {
        let plugin = try RunningPlugin.spawn(node, environment: node.environment)
        try await eventually("READY or the end", within: .seconds(30)) {
            plugin.notifications.lines.contains("READY=1") || !plugin.process.isRunning
        }
        var story = ""
        if plugin.process.isRunning {
            try await eventually("Status says why", within: .seconds(30)) {
                let status = try await server.ask("status")
                #expect(status["code"].string != "OK", "Status is OK")
                story = status["details"].string + "\n"
                return status["code"].string == "OK" || !story.contains("is being opened")
            }
            story += try await node.run("status").text
            let end = try await plugin.stop()
            #expect(end.exit == .code(0), "\(end.text)")
            return story + end.text
        }
        let end = try await plugin.process.waitForExit(within: .seconds(5))
        #expect(end.exit == .code(4), "\(end.text)")
        return story + end.text
    }

    /// Where a seal does not open, its record is named by the KEK, which is in the file's name.
    private func isNamed(_ file: String, in story: String) -> Bool {
        if story.contains(file) { return true }
        let name = file.split(separator: "/").last ?? ""
        // Of roles and record that are of two keyrings, nobody can tell which is right.
        if name == "roles" { return story.contains("of another keyring (e2e) than the roles") }
        guard name.hasSuffix(".record"), let dash = name.firstIndex(of: "-") else { return false }
        return story.contains("KEK \(name[dash...].dropFirst().prefix(16))")
    }

    /// A sample, without the lines that are for people only.
    private static func positions(in file: [UInt8]) throws -> [Int] {
        let text = String(decoding: file, as: UTF8.self)
        var start = 0
        if let block = text.firstRange(of: "-----BEGIN") {
            start = text.utf8.distance(from: text.startIndex, to: block.lowerBound)
        } else if text.hasPrefix("#") {
            start = (file.firstIndex(of: 10) ?? 0) + 1
        }
        let step = max(1, (file.count - start) / 12)
        return Array(stride(from: start, to: file.count, by: step)) + [file.count - 1]
    }
}
