import Crypto
import Glibc
import TestSupport
import Testing

@testable import VaultBackend

@Suite("A Vault configuration")
struct ConfigurationTests {
    private func problem(_ change: (inout VaultConfiguration) -> Void) -> String? {
        var configuration = VaultConfiguration(
            name: "vault", address: "https://vault.example", key: "kek", login: .tokenFile("/token"))
        change(&configuration)
        do throws(VaultError) {
            _ = try CheckedConfiguration(configuration)
            return nil
        } catch {
            #expect(error.code == .configuration)
            return error.message
        }
    }

    @Test("is accepted with all that it can have")
    func good() {
        #expect(problem { _ in } == nil)
        #expect(
            problem {
                $0.otherAddresses = ["https://b:1"]
                $0.namespace = "team/one/"
                $0.mount = "a/b"
                $0.caFile = "/ca"
                $0.certificateFile = "/c"
                $0.keyFile = "/k"
                $0.serverName = "vault.test"
                $0.proxy = "http://proxy:3128"
                $0.login = .certificate(mount: "cert", role: "node")
            } == nil)
    }

    @Test("is refused with what cannot be right")
    func bad() {
        #expect(problem { $0.address = "http://vault.example" }?.contains("in clear") == true)
        #expect(problem { $0.otherAddresses = ["http://vault.example"] } != nil)
        for name in ["", "a b", "a/b", "..", ".", "é", "a?b", "a\"b", "a%2f", String(repeating: "k", count: 129)] {
            #expect(problem { $0.key = name } != nil, "\(name)")
        }
        for path in ["", "/a", "a//b", "a/../b", "a b", "a\nX-Other: 1"] {
            #expect(problem { $0.mount = path } != nil, "\(path)")
            #expect(problem { $0.namespace = path } != nil, "\(path)")
        }
        #expect(problem { $0.caFile = "ca.pem" } != nil)
        #expect(problem { $0.certificateFile = "/c" } != nil)
        #expect(problem { $0.keyFile = "/c" } != nil)
        #expect(problem { $0.login = .certificate(mount: "cert", role: nil) } != nil)
        #expect(problem { $0.login = .tokenFile("token") } != nil)
        #expect(
            problem { $0.login = .appRole(mount: "a", roleIDFile: "/r", secretIDFile: nil, isWrapped: true) } != nil)
        #expect(problem { $0.login = .kubernetes(mount: "k", role: "a\"b", tokenFile: "/t") } != nil)
        #expect(problem { $0.proxy = "http://user:secret@proxy" } != nil)
        #expect(problem { $0.proxy = "proxy:3128" } != nil)
        for change in [
            { $0.address = "http://127.0.0.1:8200" }, { $0.otherAddresses = ["http://[::1]:8200"] },
        ] as [(inout VaultConfiguration) -> Void] {
            #expect(problem(change) == nil)
            let throughProxy = problem {
                change(&$0)
                $0.proxy = "http://proxy:3128"
            }
            #expect(throughProxy?.contains("in clear") == true)
        }
        #expect(problem { $0.serverName = "a/b" } != nil)
    }

    @Test("names credentials that have to be files which the world cannot read")
    func files() throws {
        try TemporaryDirectory.with { directory in
            let path = directory + "/secret"
            func problem(_ text: String, mode: UInt32 = 0o600) throws -> String? {
                try Files.write(text, to: path, mode: mode)
                do throws(VaultError) {
                    let (secret, identity) = try SecretFile(path).read()
                    #expect(secret.bytes.withUnsafeBytes { Array($0) } == Array("s.abc".utf8))
                    #expect(FileIdentity(path: path) == identity)
                    return nil
                } catch {
                    #expect(error.code == .credentials && !error.description.contains("s.abc"))
                    return error.message
                }
            }
            #expect(try problem("s.abc") == nil)
            #expect(try problem("s.abc\r\n\n", mode: 0o640) == nil)
            #expect(try problem("s.abc", mode: 0o644) != nil)
            #expect(throws: VaultError.self) { try SecretFile(path).check() }
            try Files.write("s.abc", to: path, mode: 0o600)
            try SecretFile(path).check()
            #expect(try problem("") != nil)
            #expect(try problem("\n\n") != nil)
            #expect(try problem("s.abc\ns.abc") != nil)
            #expect(try problem("s.abc\"") != nil)
            #expect(try problem(String(repeating: "x", count: 8193)) != nil)
            #expect(throws: VaultError.self) { try SecretFile(directory).read() }
            #expect(throws: VaultError.self) { try SecretFile(directory + "/missing").read() }
            try #require(mkfifo(directory + "/fifo", 0o600) == 0)
            for path in ["/fifo", "/missing", ""].map({ directory + $0 }) {
                #expect(throws: VaultError.self) { try SecretFile(path).read() }
                #expect(throws: VaultError.self) { try SecretFile(path).check() }
            }
        }
    }
}
