internal import TestSupport
internal import Testing

/// What the compiler must refuse to do with a secret.
@Suite("Misuse of secrets")
struct MisuseTests {
    /// Statements in a function that has `secret: consuming SecretBytes`, and what the compiler says to them.
    static let snippets: [(code: String, diagnostic: String)] = [
        ("print(secret)", "does not conform to expected type 'Copyable'"),
        ("debugPrint(secret)", "does not conform to expected type 'Copyable'"),
        ("_ = \"\\(secret)\"", "that 'SecretBytes' conform to 'Copyable'"),
        ("_ = String(describing: secret)", "that 'SecretBytes' conform to 'Copyable'"),
        ("let any: Any = secret; _ = any", "does not conform to specified type 'Copyable'"),
        ("_ = [secret]", "'SecretBytes'"),
        ("let other = secret; use(secret); use(other)", "'secret' used after consume"),
        ("_ = secret.description", "value of type 'SecretBytes' has no member 'description'"),
        ("_ = secret == secret", "requires that 'SecretBytes' conform to 'Equatable'"),
        ("_ = secret.memory", "'memory' is inaccessible"),
    ]

    @Test("does not compile, for the right reason")
    func refused() async throws {
        try await TestScope.with { scope in
            let module = try await build(in: scope)
            let right = try await check("use(secret)", module, in: scope)
            #expect(right.succeeded, "\(right.text)")
            for snippet in MisuseTests.snippets {
                let result = try await check(snippet.code, module, in: scope)
                #expect(!result.succeeded, "\(snippet.code)")
                #expect(result.errors.contains(snippet.diagnostic), "\(snippet.code)\n\(result.errors)")
            }
        }
    }

    /// Crypto's module, built from its sources; returns the options to import it.
    private func build(in scope: TestScope) async throws -> [String] {
        let sources = PackageSources.root + "/Sources"
        try Files.makeDirectory(scope.path("CLinux"))
        try Files.write(
            "module CLinux [system] { header \"\(sources)/CLinux/include/CLinux.h\" export * }",
            to: scope.path("CLinux/module.modulemap"))
        let options = [
            "-swift-version", "6", "-Xcc", "-D_GNU_SOURCE", "-I", scope.directory, "-I", scope.path("CLinux"),
            "-I", sources + "/COpenSSL",
        ]
        let result = try await ChildProcess.run(
            "swiftc",
            [
                "-emit-module", "-module-name", "Crypto", "-package-name", "trousseau", "-parse-as-library",
                "-emit-module-path", scope.path("Crypto.swiftmodule"), "-enable-upcoming-feature",
                "InternalImportsByDefault",
                "-enable-upcoming-feature", "ExistentialAny", "-enable-upcoming-feature", "MemberImportVisibility",
            ] + options + (try PackageSources.swiftFiles(in: sources + "/Crypto")),
            directory: scope.directory, within: .seconds(180))
        #expect(result.succeeded, "\(result.text)")
        return options
    }

    private func check(
        _ code: String, _ options: [String], in scope: TestScope
    ) async throws -> ChildProcess.Result {
        try Files.write(
            """
            import Crypto
            func use(_ secret: borrowing SecretBytes) {}
            func snippet(_ secret: consuming SecretBytes) { \(code) }
            """, to: scope.path("Snippet.swift"))
        // SIL: who consumes what is checked after the types.
        return try await ChildProcess.run(
            "swiftc", ["-emit-sil", "-o", "/dev/null", "-parse-as-library"] + options + [scope.path("Snippet.swift")],
            directory: scope.directory, within: .seconds(120))
    }
}
