import CLinux
import Crypto
import Glibc
import Keyring
import TestSupport
import Testing

@testable import TPMBackend

@Suite("a TPM over a long time, and many of them")
struct EnduranceTests {
    /// TROUSSEAU_TEST_TPM_CYCLES=10000 for the long run.
    private static var cycles: Int {
        getenv("TROUSSEAU_TEST_TPM_CYCLES").flatMap { Int(String(cString: $0)) } ?? 300
    }

    @Test("many seals and unseals leave nothing behind: no handle in the TPM, and no memory that grows")
    func leaks() async throws {
        try await TestScope.with { scope in
            let node = try await Node.make(scope)
            let (backend, shared, local) = try await node.enrolled()
            let kek = try KEK.generate()
            func cycle(_ count: Int) async throws {
                for index in 0..<count {
                    let recipient = index.isMultiple(of: 2) ? local : shared
                    let seal = try await backend.seal(kek, to: recipient, until: patience)
                    guard try await backend.unseal(seal, until: patience).id == kek.id else {
                        throw TestError("cycle \(index): another KEK")
                    }
                    // A failure each time, too.
                    var bytes = seal.bytes
                    bytes[bytes.count - 60] ^= 1
                    let altered = Seal(recipient: recipient, kekID: kek.id, bytes: bytes)
                    _ = try? await backend.unseal(altered, until: patience)
                }
            }
            try await cycle(50)
            let memory = try Residue.resident()
            try await cycle(EnduranceTests.cycles)
            // Other tests take memory at the same time. In the long run one structure a cycle would be more than this.
            let grown = try Residue.resident() - memory
            #expect(grown < 400 * EnduranceTests.cycles + 16_000_000, "\(grown) bytes")
            await backend.shutdown(until: patience)
            for kind in ["handles-transient", "handles-loaded-session", "handles-saved-session"] {
                #expect(try await node.tpm.tool("tpm2_getcap", kind) == "", "\(kind)")
            }
        }
    }

    @Test("20 backends on 20 TPMs at once do not disturb each other")
    func parallel() async throws {
        try await TestScope.with { scope in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for index in 0..<20 {
                    group.addTask {
                        let node = try await Node.make(scope, "tpm\(index)")
                        let (backend, shared, local) = try await node.enrolled()
                        let kek = try KEK.generate()
                        for _ in 0..<5 {
                            for recipient in [shared, local] {
                                let seal = try await backend.seal(kek, to: recipient, until: patience)
                                #expect(try await backend.unseal(seal, until: patience).id == kek.id)
                            }
                        }
                        await backend.shutdown(until: patience)
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test("after a seal and an unseal the KEK is nowhere in ordinary memory, nor after ones that failed")
    func residue() async throws {
        try await TestScope.with { scope in
            let node = try await Node.make(scope)
            let proxy = try TPMProxy(scope, before: node.tpm)
            defer { proxy.stop() }
            let (backend, _, local) = try await node.with(tcti: proxy.tcti).enrolled()
            let kek = try KEK.generate()
            let needle = Residue.Needle(kek)
            let control = Residue.Copy(kek)
            #expect(try Residue.count(needle) == 1, "the copy that the test made is not found")
            control.wipe()
            #expect(try Residue.count(needle) == 0)
            let seal = try await backend.seal(kek, to: local, until: patience)
            #expect(try Residue.count(needle) == 0, "after sealing")
            #expect(try await backend.unseal(seal, until: patience).id == kek.id)
            #expect(try Residue.count(needle) == 0, "after unsealing")
            proxy.inject(.alterAnswer, into: CommandCode.unseal)
            #expect(try await backend.unseal(seal, until: patience).id == kek.id)
            #expect(try Residue.count(needle) == 0, "after an answer that was changed")
            for action in [TPMProxy.Action.disconnect, .loseAnswer] {
                proxy.inject(action, into: CommandCode.create)
                _ = try await backend.seal(kek, to: local, until: patience)
                #expect(try Residue.count(needle) == 0, "after \(action) while sealing")
            }
            await backend.shutdown(until: patience)
            #expect(try Residue.count(needle) == 0, "after the shutdown")
        }
    }
}
