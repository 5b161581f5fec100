internal import CLinux
internal import Crypto
internal import Glibc
internal import Keyring
internal import TestSupport
internal import Testing

@testable import PKCS11Backend

@Suite("PIN files")
struct PINSourceTests {
    init() throws {
        try SecureHeap.initialize(allowUnlocked: true)
    }

    @Test(
        "a source is an absolute path or file:, and never a command",
        arguments: ["|cat /etc/pin", "pin", "./pin", "", "file:pin", "file://host/pin", "http://x/pin", "//x", "/a\0b"])
    func badSource(_ text: String) {
        #expect(throws: PKCS11Error.self) { try PINSource(text) }
    }

    @Test("three ways to write one path")
    func goodSource() throws {
        for text in ["/etc/pin", "file:/etc/pin", "file:///etc/pin"] {
            #expect(try PINSource(text) == .file(PINFile("/etc/pin")))
        }
    }

    @Test(
        "a file that cannot hold one PIN is refused, with the reason",
        arguments: [
            ("", "empty"), ("\n", "empty"), ("12\n34", "more than one line"), ("1234\n\n", "more than one line"),
            ("1234\r\n", "more than one line"), ("12\u{0}34", "more than one line"),
            (String(repeating: "1", count: 257), "longer than 256"),
            (String(repeating: "1", count: 257) + "\n", "longer than 256"),
            (String(repeating: "1", count: 5000), "longer than 256"),
        ])
    func badContent(_ content: String, _ reason: String) throws {
        try TemporaryDirectory.with { folder in
            try Files.write(content, to: folder + "/pin")
            try expect(folder + "/pin", reason)
        }
    }

    @Test("exactly one newline is dropped, and 256 bytes fit", arguments: [(1, false), (4, true), (256, true)])
    func goodContent(_ count: Int, _ newline: Bool) throws {
        try TemporaryDirectory.with { folder in
            let text = String(repeating: "7", count: count)
            try Files.write(text + (newline ? "\n" : ""), to: folder + "/pin")
            let pin = try PINSource(folder + "/pin").read()
            #expect(pin.secret.withUnsafeBytes { Array($0) } == Array(text.utf8))
        }
    }

    @Test("a file that others can read is refused", arguments: [0o640, 0o604, 0o660, 0o610, 0o777] as [UInt32])
    func openMode(_ mode: UInt32) throws {
        try TemporaryDirectory.with { folder in
            try Files.write("1234", to: folder + "/pin", mode: mode)
            try expect(folder + "/pin", "chmod 600")
        }
    }

    @Test("a folder, a FIFO, a device and nothing at all are refused at once")
    func notAFile() throws {
        try TemporaryDirectory.with { folder in
            try expect(folder, "not a regular file")
            try expect(folder + "/none", "No such file")
            #expect(mkfifo(folder + "/fifo", 0o600) == 0)
            try expect(folder + "/fifo", "not a regular file")
            try expect("/dev/null", "not a regular file")
        }
    }

    @Test("the identity changes with content, with a new inode and with a touch")
    func identity() throws {
        try TemporaryDirectory.with { folder in
            let path = folder + "/pin"
            try Files.write("1234", to: path)
            let first = try PINSource(path).read().identity
            #expect(try PINSource(path).read().identity == first)
            try Files.write("1234", to: path + ".new")
            try Files.move(path + ".new", to: path)
            #expect(try PINSource(path).read().identity != first)
        }
    }

    @Test("an identity reads back from its text, and from nothing else")
    func identityText() throws {
        let identity = PINIdentity.file(
            PINFileIdentity(device: 1, inode: 2, modified: -3, changed: .max, size: 5))
        #expect(PINIdentity(text: identity.text) == identity)
        #expect(PINIdentity(text: "inline") == .inline)
        for text in ["", "file", "file 1 2 3 4", "file 1 2 3 4 5 6", "file 01 2 3 4 5", "file 1 2 3 4 x", "inline "] {
            #expect(PINIdentity(text: text) == nil)
        }
    }

    private func expect(_ path: String, _ reason: String) throws {
        let source = try PINSource(path)
        #expect {
            _ = try source.read().identity
        } throws: { error in
            "\(error)".contains(reason) && (error as? PKCS11Error)?.code == .pinSource
        }
    }
}
