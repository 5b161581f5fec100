import CTSS2
import Glibc
import Keyring
import Synchronization
import TestSupport

@testable import TPMBackend

/// All that went over the wire to a TPM, as tpm2-tss's pcap TCTI writes it down.
enum Recording {
    private static let turn = AsyncTurn()
    /// The TCTI takes its file from the environment, which all threads share and read: it is set once. So there is one
    /// recording at a time; everybody else's TCTI does not look there.
    private static let file: String = {
        let path = "/tmp/tt.\(getpid()).pcap"
        setenv("TCTI_PCAP_FILE", path, 1)
        return path
    }()

    /// Runs `body` with a TCTI that records what goes to `tpm`; the bytes of the recording.
    nonisolated(nonsending) static func of(
        _ tpm: SoftTPM, _ body: (_ tcti: String) async throws -> Void
    ) async throws -> [UInt8] {
        await turn.take()
        let result: [UInt8]
        do {
            try Files.remove(file)
            try await body("pcap:" + tpm.tcti)
            result = try Files.read(file)
            try Files.remove(file)
        } catch {
            await turn.give()
            throw error
        }
        await turn.give()
        return result
    }

    /// Seals without a salt and without encryption, as a program would that does not think of the bus. What is found in a
    /// recording of this would be found in one of ours.
    static func sealCarelessly(_ kek: KEK, _ tcti: String) throws {
        let context = try ESYSContext(tcti: tcti)
        guard let key = try context.readStorageKey() else { throw TestError("no storage root key") }
        let area = try Marshalling.publicArea(TPMSeal.template(RecipientDescription(.local(name: key.name))))
        try context.withHandle(of: key) { (parent) throws(TPMError) in
            var sensitive = TPM2B_SENSITIVE_CREATE()
            kek.withUnsafeBytes { bytes in
                sensitive.sensitive.data.size = 32
                withUnsafeMutableBytes(of: &sensitive.sensitive.data.buffer) { $0.copyBytes(from: bytes) }
            }
            let pin = Array("careless".utf8)
            sensitive.sensitive.userAuth.size = UInt16(pin.count)
            withUnsafeMutableBytes(of: &sensitive.sensitive.userAuth.buffer) { $0.copyBytes(from: pin) }
            var outside = TPM2B_DATA()
            var selection = TPML_PCR_SELECTION()
            try context.call(.create) { raw in
                withUnsafePointer(to: area) {
                    Esys_Create(
                        raw, parent, Handle.password, Handle.none, Handle.none, &sensitive, $0, &outside, &selection,
                        nil, nil, nil, nil, nil)
                }
            }
        }
    }
}

/// One at a time, without blocking a thread.
private actor AsyncTurn {
    private var isTaken = false
    private var waiters: [CheckedContinuation<Void, Never>] = []

    func take() async {
        guard isTaken else {
            isTaken = true
            return
        }
        await withCheckedContinuation { waiters.append($0) }
    }

    func give() {
        guard !waiters.isEmpty else {
            isTaken = false
            return
        }
        waiters.removeFirst().resume()
    }
}
