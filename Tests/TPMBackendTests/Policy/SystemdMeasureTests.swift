import Crypto
import Keyring
import TestSupport
import Testing

@testable import TPMBackend

/// systemd-measure itself signs what systemd-stub and the phases of a boot measure into PCR 11.
private struct Image {
    let node: PolicyNode
    let kernel: String

    /// A "kernel", which is nothing but bytes to measure.
    static func make(_ node: PolicyNode, _ name: String) throws -> Image {
        try Files.write(Array("kernel \(name)".utf8), to: node.scope.path(name))
        return Image(node: node, kernel: node.scope.path(name))
    }

    /// The whole boot, as systemd names its phases.
    static let phases = ["enter-initrd", "leave-initrd", "sysinit", "ready"]

    /// A signature file for PCR 11 after each of the first `count` phases.
    func sign(_ signer: Signer, phases count: Int) async throws {
        let phases = (1...count).map { "--phase=" + Image.phases.prefix($0).joined(separator: ":") }
        let result = try await ChildProcess.run(
            "/lib/systemd/systemd-measure",
            [
                "sign", "--linux=\(kernel)", "--bank=sha256", "--private-key=\(signer.name).key",
                "--public-key=\(signer.name).pem", "--tpm2-device=\(node.node.tpm.tcti)",
            ] + phases, directory: node.scope.directory, within: .seconds(120))
        guard result.succeeded else { throw TestError("systemd-measure (package systemd): \(result.text)") }
        try Files.write(result.output, to: node.signatures)
    }

    /// Boots it: PCR 11 begins with zeros.
    func boot() async throws {
        try await node.node.tpm.losePower()
        try await node.node.tpm.tool("tpm2_startup", "-c")
        for measured in [Array(".linux\0".utf8), try Files.read(kernel)] + Image.phases.map({ Array($0.utf8) }) {
            try await node.node.tpm.tool("tpm2_pcrextend", "11:sha256=\(Hex.encode(try SHA256.hash(measured)))")
        }
    }
}

@Suite("images signed by systemd-measure")
struct SystemdMeasureTests {
    @Test("a seal opens in each image that is signed for the whole boot, and says what is missing in one that is not")
    func images() async throws {
        try await TestScope.with { scope in
            let node = try await PolicyNode.make(scope)
            let signer = try await Signer.make(scope, "signer", Signer.rsa)
            let (first, second) = (try Image.make(node, "first"), try Image.make(node, "second"))
            try await first.boot()
            try await first.sign(signer, phases: 4)
            let backend = try node.backend(
                .signed(SignedPolicy(publicKey: signer.publicPath, signatures: node.signatures)))
            _ = try await backend.recipients(generateMissingKey: true, until: patience)
            let local = try #require(try await backend.localRecipients(until: patience).first)
            let kek = try KEK.generate()
            let seal = try await backend.seal(kek, to: local, until: patience)
            #expect(try await backend.unseal(seal, until: patience).id == kek.id)

            // The next image was signed for the initrd only, as for the unlocking of disks.
            try await second.boot()
            try await second.sign(signer, phases: 1)
            let error = await refusal { _ = try await backend.unseal(seal, until: patience) }
            #expect(error?.message == "\(node.signatures): 1 signature for PCR 11, none for its present value")
            #expect(error?.hint?.contains("early phase of the boot only (enter-initrd)") == true)

            try await second.sign(signer, phases: 4)
            #expect(try await backend.unseal(seal, until: patience).id == kek.id)
            await backend.shutdown(until: patience)
        }
    }
}
