internal import CTSS2
internal import Glibc

/// One ESYS_CONTEXT over one TCTI. Not for several threads; see `Device`.
final class ESYSContext {
    private var raw: OpaquePointer?
    private var tcti: OpaquePointer?
    /// TPM handles of objects and sessions that could not be flushed, since the connection had failed.
    private(set) var orphans: [UInt32] = []

    /// Opens the device; sends nothing. Never a NULL configuration: the loader would then try one TCTI after the other
    /// down to a TPM in software on localhost.
    init(tcti configuration: String) throws(TPMError) {
        ESYSContext.silenceLibrary
        var rc = Tss2_TctiLdr_Initialize(configuration, &tcti)
        try ESYSContext.check(.open, rc)
        rc = Esys_Initialize(&raw, tcti, nil)
        guard rc == 0, raw != nil else {
            Tss2_TctiLdr_Finalize(&tcti)
            throw TPMError(.open, ReturnCode(rawValue: rc))
        }
    }

    deinit {
        Esys_Finalize(&raw)
        Tss2_TctiLdr_Finalize(&tcti)
    }

    /// Calls the library.
    ///
    /// - Throws: by the error table.
    func call(_ command: Command, _ body: (OpaquePointer?) -> TSS2_RC) throws(TPMError) {
        try ESYSContext.check(command, body(raw))
    }

    private static func check(_ command: Command, _ rc: TSS2_RC) throws(TPMError) {
        guard rc != 0 else { return }
        throw TPMError(command, ReturnCode(rawValue: rc))
    }

    /// TPM2_Startup(CLEAR): after a reset that no firmware followed. Somebody may have been faster.
    func startUp() throws(TPMError) {
        do throws(TPMError) {
            try call(.startUp) { Esys_Startup($0, 0) }
        } catch {
            guard error.returnCode.isTPM(TPMCode.initialize) else { throw error }
        }
    }

    /// Flushes a session or a transient object. One that cannot be flushed is remembered.
    func flush(_ handle: ESYS_TR) {
        var number: TPM2_HANDLE = 0
        let isKnown = Esys_TR_GetTpmHandle(raw, handle, &number) == 0
        guard Esys_FlushContext(raw, handle) != 0 else { return }
        if isKnown { orphans.append(number) }
        forget(handle)
    }

    /// Lets the library forget a handle; the TPM is not asked.
    func forget(_ handle: ESYS_TR) {
        var handle = handle
        _ = Esys_TR_Close(raw, &handle)
    }

    /// Flushes TPM handles that an earlier context left behind. A resource manager has done so, and answers that it does
    /// not know them.
    func flush(orphans: [UInt32]) {
        for number in orphans {
            var handle: ESYS_TR = 0
            guard Esys_TR_FromTPMPublic(raw, number, Handle.none, Handle.none, Handle.none, &handle) == 0 else {
                continue
            }
            _ = Esys_FlushContext(raw, handle)
        }
    }

    /// Overwrites the buffer in which the library keeps the last command and its answer: after TPM2_Unseal it holds the
    /// secret. Preparing a command writes its parameters there, and sends nothing.
    func wipeBuffers() {
        var system: OpaquePointer?
        guard Esys_GetSysContext(raw, &system) == 0 else { return }
        var zeros = TPM2B_SENSITIVE_DATA()
        zeros.size = UInt16(MemoryLayout.size(ofValue: zeros.buffer))
        _ = Tss2_Sys_StirRandom_Prepare(system, &zeros)
    }

    /// As `wipeBuffers`, and the copy that the library keeps of TPM2_Create's parameters, in case that it has to send them
    /// again: an object that it does not know stops the command after the copy was replaced.
    func wipeInputs() {
        var nothing = TPM2B_SENSITIVE_CREATE()
        var area = TPM2B_PUBLIC()
        var outside = TPM2B_DATA()
        var selection = TPML_PCR_SELECTION()
        _ = Esys_Create_Async(
            raw, UInt32.max, Handle.password, Handle.none, Handle.none, &nothing, &area, &outside, &selection)
        wipeBuffers()
    }

    /// The library writes to standard error, at some levels session keys, too. What an operator needs is in our errors.
    /// Once a process, and best before it has threads that read the environment.
    static let silenceLibrary: Void = {
        setenv("TSS2_LOG", "all+none", 1)
    }()
}
