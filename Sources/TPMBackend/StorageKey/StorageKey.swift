internal import CTSS2
internal import Crypto
internal import Keyring

/// A storage root key: its whole public area, and the Name that we compute of it.
struct StorageKey: Sendable, Hashable {
    let area: TPMPublic
    /// nameAlg ‖ H(area).
    let name: [UInt8]

    /// - Throws: `configuration` unless a TPM protects what is under the key.
    init(_ area: TPMPublic) throws(TPMError) {
        if let reason = area.storageRefusal {
            throw TPMError(
                .configuration, "the TPM's key at 0x81000001 is no storage root key: \(reason)",
                hint: "another program has put it there; ask its owner, or move it to another handle")
        }
        self.area = area
        do {
            name = try area.name
        } catch {
            throw TPMError(.local, "the Name of the storage root key: \(error)", errorClass: .retry)
        }
    }

    /// Name in hexadecimal, for messages and `tpm2_readpublic -n`.
    var text: String { Hex.encode(name) }

    /// Whether the TPM protects the key against guessing, so that it is refused in a lockout, and each unclean power loss
    /// after its use counts as a guess.
    var countsGuesses: Bool { !area.attributes.contains(.noDA) }

    /// What to say about a key that does.
    static let guessing =
        "the storage root key is not exempt from the TPM's protection against guessing (noDA): each unclean power loss "
        + "counts as a wrong guess, and in a lockout no seal of this TPM opens"
    static let otherRecipient = "have another recipient besides, or a storage root key with noDA (docs/tpm.md)"
    /// What to do about a key that is not fit.
    static let remake =
        "make another one: tpm2_evictcontrol -C o -c 0x81000001 takes the old one away (whatever else uses it is lost), then "
        + "let trousseau make one"
    /// As the template, with a value of the owner hierarchy.
    static let remakeCommands =
        "tpm2_createprimary -C o -P AUTH -g sha256 -G ecc256:aes128cfb -c srk.ctx "
        + "-a 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt', "
        + "then tpm2_evictcontrol -C o -P AUTH -c srk.ctx 0x81000001"

    /// What we make when there is none: the TCG's template for ECC P-256 (TPM v2.0 Provisioning Guidance, 7.5.1), with an
    /// empty `unique`; 32 zero bytes there would make another key.
    static let template = TPMPublic(
        nameAlgorithm: .sha256,
        attributes: [
            .fixedTPM, .fixedParent, .sensitiveDataOrigin, .userWithAuth, .noDA, .restricted, .decrypt,
        ],
        key: .ecc(.aesCFB(bits: 128), .p256, x: [], y: []))
}

extension ESYSContext {
    /// The key at 0x81000001, as the TPM tells it, or nil. One command.
    ///
    /// The TPM's own Name for it is not looked at: this version of the library (3.2.1) would take it for true.
    func readStorageKey() throws(TPMError) -> StorageKey? {
        var handle: ESYS_TR = Handle.none
        do throws(TPMError) {
            try call(.readPublic) {
                Esys_TR_FromTPMPublic(
                    $0, Handle.storageRootKey, Handle.none, Handle.none, Handle.none, &handle)
            }
        } catch {
            guard error.returnCode.isTPM(TPMCode.handle) else { throw error }
            return nil
        }
        defer { forget(handle) }
        var bytes: UnsafeMutablePointer<UInt8>?
        var count = 0
        try call(.readPublic) { Esys_TR_Serialize($0, handle, &bytes, &count) }
        defer { Esys_Free(bytes) }
        return try StorageKey(StorageKeyHandle.parse(Array(UnsafeBufferPointer(start: bytes, count: count))))
    }

    /// Makes the storage root key, and lets it persist at 0x81000001. Three commands, up to ten seconds on slow TPMs.
    ///
    /// Another program that does the same at the same time makes the same key: then theirs is taken.
    func createStorageKey() throws(TPMError) {
        let area = try Marshalling.publicArea(StorageKey.template)
        var primary: ESYS_TR = Handle.none
        var sensitive = TPM2B_SENSITIVE_CREATE()
        var outside = TPM2B_DATA()
        var selection = TPML_PCR_SELECTION()
        try call(.createPrimary) { raw in
            withUnsafePointer(to: area) {
                Esys_CreatePrimary(
                    raw, Handle.owner, Handle.password, Handle.none, Handle.none, &sensitive, $0, &outside, &selection,
                    &primary, nil, nil, nil, nil)
            }
        }
        defer { flush(primary) }
        var persistent: ESYS_TR = Handle.none
        do throws(TPMError) {
            try call(.evictControl) {
                Esys_EvictControl(
                    $0, Handle.owner, primary, Handle.password, Handle.none, Handle.none, Handle.storageRootKey,
                    &persistent)
            }
            forget(persistent)
        } catch {
            guard error.returnCode.isTPM(TPMCode.nvDefined) else { throw error }
        }
    }

    /// A handle for the storage key as we know it: sessions are salted to this very key, whatever the TPM's public areas
    /// say now. Sends nothing.
    func withHandle<R: ~Copyable>(
        of key: StorageKey, _ body: (ESYS_TR) throws(TPMError) -> R
    ) throws(TPMError) -> R {
        var handle: ESYS_TR = Handle.none
        let bytes = StorageKeyHandle.serialize(key)
        try call(.open) { Esys_TR_Deserialize($0, bytes, bytes.count, &handle) }
        defer { forget(handle) }
        return try body(handle)
    }
}
