import Testing

@testable import VaultBackend

@Suite("A Vault address")
struct AddressTests {
    @Test(
        "is read",
        arguments: [
            ("https://vault.example:8200", "https://vault.example:8200"),
            ("https://Vault.Example", "https://vault.example:443"),
            ("https://10.0.0.1:1/", "https://10.0.0.1:1"), ("https://[2001:DB8::1]:8200", "https://[2001:db8::1]:8200"),
            ("http://127.0.0.1:8200", "http://127.0.0.1:8200"), ("http://[::1]", "http://[::1]:80"),
            ("HTTPS://a_b-c.d", "https://a_b-c.d:443"),
        ])
    func good(_ text: String, _ url: String) throws {
        #expect(try VaultAddress(text).url == url)
    }

    @Test(
        "is refused",
        arguments: [
            "", "vault:8200", "ftp://vault", "https://", "https://:8200", "https://a:0", "https://a:65536",
            "https://a:b",
            "https://a:1:2", "https://user@a", "https://user:pass@a:1", "https://a/v1", "https://a?x", "https://a#x",
            "https://a b", "https://[::1", "https://[::1]x", "https://[zz]:1", "https://a%2f", "https://é",
            "http://vault.example:8200", "http://localhost:8200", "http://127.0.0.1.example", "http://128.0.0.1",
            "http://10.0.0.1", "https://a\u{0}",
        ])
    func bad(_ text: String) {
        #expect(throws: VaultError.self) { try VaultAddress(text) }
    }

    @Test("is the origin of its own URLs only")
    func origin() throws {
        let address = try VaultAddress("https://a:443")
        #expect(address.isOrigin(of: "https://a/v1/x") && address.isOrigin(of: "https://A:443/v1/x"))
        for other in [
            "http://a/v1/x", "https://a:444/v1/x", "https://a.b/v1/x", "https://a@b/v1/x", "https://b/https://a/",
            "//a/v1",
            "https://a", "", "https://a:443@b/v1/x",
        ] {
            #expect(!address.isOrigin(of: other), "\(other)")
        }
    }

    @Test(
        "is suspected to be inside the cluster",
        arguments: [
            ("vault.vault.svc", "", true), ("vault.vault.svc.cluster.local", "", true), ("x.cluster.local", "", true),
            ("vault.example", "search default.svc.cluster.local svc.cluster.local\nnameserver 10.0.0.10", true),
            ("vault.example", "nameserver 10.0.0.10\nsearch example.com", false), ("svcs.example", "", false),
        ])
    func cluster(_ host: String, _ resolver: String, _ isSuspected: Bool) {
        #expect((ClusterNames.suspicion(host, resolver: resolver) != nil) == isSuspected)
    }
}
