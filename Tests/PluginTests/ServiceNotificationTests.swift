import CLinux
import Glibc
import TestSupport
import Testing

@testable import Plugin

@Suite("systemd")
struct ServiceNotificationTests {
    /// The datagrams that arrive at a socket of this name while `body` runs.
    private func received(at path: String, _ body: () -> Void) throws -> [String] {
        let listener = socket(AF_UNIX, CInt(SOCK_DGRAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
        try #require(listener >= 0)
        defer { close(listener) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var name = Array(path.utf8)
        if name[0] == UInt8(ascii: "@") { name[0] = 0 }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + name.count)
        let bound = withUnsafePointer(to: address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, __CONST_SOCKADDR_ARG(__sockaddr__: $0), length)
            }
        }
        try #require(bound == 0)
        body()
        var messages: [String] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while case let count = recv(listener, &chunk, chunk.count, 0), count > 0 {
            messages.append(String(decoding: chunk[..<count], as: UTF8.self))
        }
        return messages
    }

    @Test("is told by datagrams when the service is ready, what it does and that it stops", arguments: [false, true])
    func notifications(_ abstract: Bool) throws {
        try TemporaryDirectory.with { directory in
            let path = abstract ? "@trousseau-test-\(getpid())" : directory + "/notify"
            let messages = try received(at: path) {
                let service = ServiceNotification(path: path)
                service.ready("opening the keyring")
                service.status("serving\nREADY=0")
                service.stopping()
            }
            #expect(
                messages == [
                    "READY=1\nSTATUS=opening the keyring", "STATUS=serving READY=0", "STOPPING=1\nSTATUS=stopping",
                ])
        }
    }

    @Test(
        "need not be there", arguments: [nil, "", "relative", "/nowhere/notify", String(repeating: "/x", count: 200)])
    func absent(_ path: String?) {
        ServiceNotification(path: path).ready("serving")
    }
}
