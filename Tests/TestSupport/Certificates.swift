/// Certificates of a test's own authority, made by OpenSSL's command line.
public struct Certificates: Sendable {
    let scope: TestScope
    /// The prefix of its files' names.
    let name: String

    /// The authority's own certificate.
    public var authority: String { scope.path("\(name)-ca.pem") }

    /// One whose files are there already.
    public init(scope: TestScope, name: String) {
        self.scope = scope
        self.name = name
    }

    /// Makes the authority.
    public static func make(_ scope: TestScope, _ name: String = "test") async throws -> Certificates {
        let certificates = Certificates(scope: scope, name: name)
        try await certificates.openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
            "/CN=\(name) authority", "-keyout", "\(name)-ca.key", "-out", "\(name)-ca.pem", "-addext",
            "keyUsage=critical,keyCertSign,cRLSign")
        return certificates
    }

    /// A certificate with its key: `file.pem` and `file.key` in the scope's folder.
    ///
    /// - Parameters:
    ///   - names: `DNS:vault.test,IP:127.0.0.1`; nil: a client's.
    ///   - isExpired: was good for a day that is long over.
    public func issue(_ file: String, names: String?, isExpired: Bool = false) async throws {
        let usage = names == nil ? "clientAuth" : "serverAuth"
        let lines =
            ["basicConstraints=CA:false", "extendedKeyUsage=\(usage)"] + (names.map { ["subjectAltName=\($0)"] } ?? [])
        try Files.write(lines.joined(separator: "\n") + "\n", to: scope.path("\(file).ext"))
        try await openssl(
            "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=\(file)",
            "-keyout", "\(file).key", "-out", "\(file).csr")
        guard isExpired else {
            try await openssl(
                "x509", "-req", "-in", "\(file).csr", "-CA", "\(name)-ca.pem", "-CAkey", "\(name)-ca.key",
                "-CAcreateserial", "-days", "1", "-extfile", "\(file).ext", "-out", "\(file).pem")
            return
        }
        // `x509 -req` of OpenSSL 3.0 cannot date back; its small authority can.
        try Files.write("", to: scope.path("\(file).index"))
        try Files.write(
            """
            [ca]
            default_ca = it
            [it]
            database = \(file).index
            rand_serial = yes
            new_certs_dir = .
            default_md = sha256
            policy = any
            unique_subject = no
            [any]
            commonName = supplied

            """, to: scope.path("\(file).cnf"))
        try await openssl(
            "ca", "-batch", "-config", "\(file).cnf", "-in", "\(file).csr", "-cert", "\(name)-ca.pem", "-keyfile",
            "\(name)-ca.key", "-startdate", "20200101000000Z", "-enddate", "20200102000000Z", "-extfile",
            "\(file).ext", "-notext", "-out", "\(file).pem")
    }

    private func openssl(_ arguments: String...) async throws {
        let result = try await ChildProcess.run("openssl", arguments, directory: scope.directory)
        guard result.succeeded else { throw TestError("openssl \(arguments): \(result.text)") }
    }
}
