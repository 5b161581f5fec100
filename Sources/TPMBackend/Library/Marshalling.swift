internal import CTSS2
internal import Keyring

/// Between bytes and the library's structures, by its own functions (libtss2-mu).
enum Marshalling {
    /// A TPM2B_PUBLIC.
    static func publicArea(_ area: TPMPublic) throws(TPMError) -> TPM2B_PUBLIC {
        var structure = TPM2B_PUBLIC()
        let bytes = area.encodedSized
        var offset = 0
        let rc = Tss2_MU_TPM2B_PUBLIC_Unmarshal(bytes, bytes.count, &offset, &structure)
        guard rc == 0, offset == bytes.count else { throw failure("TPM2B_PUBLIC", rc) }
        return structure
    }

    /// The TPM2B_PUBLIC that a TPM answered.
    static func publicArea(_ structure: UnsafePointer<TPM2B_PUBLIC>) throws(TPMError) -> TPMPublic {
        var bytes = [UInt8](repeating: 0, count: MemoryLayout<TPM2B_PUBLIC>.size)
        var offset = 0
        let rc = Tss2_MU_TPM2B_PUBLIC_Marshal(structure, &bytes, bytes.count, &offset)
        guard rc == 0 else { throw failure("TPM2B_PUBLIC", rc) }
        return try parse(Array(bytes.prefix(offset)))
    }

    /// A TPM2B_PRIVATE's bytes, with their size before them.
    static func privateArea(_ sized: [UInt8]) throws(TPMError) -> TPM2B_PRIVATE {
        var structure = TPM2B_PRIVATE()
        var offset = 0
        let rc = Tss2_MU_TPM2B_PRIVATE_Unmarshal(sized, sized.count, &offset, &structure)
        guard rc == 0, offset == sized.count else { throw failure("TPM2B_PRIVATE", rc) }
        return structure
    }

    /// The TPM2B_PRIVATE that a TPM answered, with its size before it.
    static func privateArea(_ structure: UnsafePointer<TPM2B_PRIVATE>) throws(TPMError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: MemoryLayout<TPM2B_PRIVATE>.size)
        var offset = 0
        let rc = Tss2_MU_TPM2B_PRIVATE_Marshal(structure, &bytes, bytes.count, &offset)
        guard rc == 0 else { throw failure("TPM2B_PRIVATE", rc) }
        return Array(bytes.prefix(offset))
    }

    /// Parses a TPM2B_PUBLIC that came from a TPM.
    static func parse(_ sized: [UInt8]) throws(TPMError) -> TPMPublic {
        do throws(TPMFormatError) {
            return try TPMPublic(sized: sized)
        } catch {
            throw TPMError(.call, "the TPM's answer: \(error)", errorClass: .operatorMustAct)
        }
    }

    /// Only a seal's bytes reach these functions unchecked.
    private static func failure(_ structure: String, _ rc: TSS2_RC) -> TPMError {
        TPMError(.seal, "\(structure): \(ReturnCode(rawValue: rc))", errorClass: .permanent)
    }
}
