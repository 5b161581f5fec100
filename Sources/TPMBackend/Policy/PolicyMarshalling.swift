internal import CTSS2
internal import Keyring

extension Marshalling {
    static func selection(_ selection: PCRSelection) throws(TPMError) -> TPML_PCR_SELECTION {
        var structure = TPML_PCR_SELECTION()
        var offset = 0
        let bytes = selection.encoded
        try check("TPML_PCR_SELECTION", Tss2_MU_TPML_PCR_SELECTION_Unmarshal(bytes, bytes.count, &offset, &structure))
        return structure
    }

    /// The PCRs of the SHA-256 bank in an answer.
    static func mask(of answer: UnsafePointer<TPML_PCR_SELECTION>) -> UInt32 {
        withUnsafeBytes(of: answer.pointee.pcrSelections) { bytes in
            bytes.bindMemory(to: TPMS_PCR_SELECTION.self).prefix(Int(answer.pointee.count))
                .filter { $0.hash == TPMAlgorithm.sha256 }
                .reduce(0) { mask, bank in
                    withUnsafeBytes(of: bank.pcrSelect) { select in
                        select.prefix(min(Int(bank.sizeofSelect), 3)).enumerated().reduce(mask) {
                            $0 | UInt32($1.element) << UInt32(8 * $1.offset)
                        }
                    }
                }
        }
    }

    static func digests(_ answer: UnsafePointer<TPML_DIGEST>) -> [[UInt8]] {
        withUnsafeBytes(of: answer.pointee.digests) { bytes in
            bytes.bindMemory(to: TPM2B_DIGEST.self).prefix(Int(answer.pointee.count)).map { digest in
                withUnsafeBytes(of: digest.buffer) { Array($0.prefix(Int(digest.size))) }
            }
        }
    }

    static func digest(_ bytes: [UInt8]) throws(TPMError) -> TPM2B_DIGEST {
        var structure = TPM2B_DIGEST()
        var offset = 0
        let sized = TPMWriter.bytes { $0.sized(bytes) }
        try check("TPM2B_DIGEST", Tss2_MU_TPM2B_DIGEST_Unmarshal(sized, sized.count, &offset, &structure))
        return structure
    }

    static func name(_ bytes: [UInt8]) throws(TPMError) -> TPM2B_NAME {
        var structure = TPM2B_NAME()
        var offset = 0
        let sized = TPMWriter.bytes { $0.sized(bytes) }
        try check("TPM2B_NAME", Tss2_MU_TPM2B_NAME_Unmarshal(sized, sized.count, &offset, &structure))
        return structure
    }

    static func signature(_ signature: PolicySignature) throws(TPMError) -> TPMT_SIGNATURE {
        var structure = TPMT_SIGNATURE()
        var offset = 0
        let bytes = signature.encoded
        try check("TPMT_SIGNATURE", Tss2_MU_TPMT_SIGNATURE_Unmarshal(bytes, bytes.count, &offset, &structure))
        return structure
    }

    private static func check(_ structure: String, _ rc: TSS2_RC) throws(TPMError) {
        guard rc != 0 else { return }
        throw TPMError(.local, "\(structure): \(ReturnCode(rawValue: rc))", errorClass: .permanent)
    }
}
