internal import COpenSSL
internal import Crypto

/// A signature by a policy's key, as TPM2_VerifySignature takes it.
struct PolicySignature: Sendable, Hashable {
    /// A TPMT_SIGNATURE (part 2, 11.3.4): RSASSA-PKCS1-v1_5 or ECDSA, with SHA-256.
    let encoded: [UInt8]

    /// RSASSA.
    init(rsa signature: [UInt8]) {
        encoded = TPMWriter.bytes { writer in
            writer.integer(TPMAlgorithm.rsassa)
            writer.integer(TPMAlgorithm.sha256)
            writer.sized(signature)
        }
    }

    /// ECDSA, from the DER form that openssl writes; both numbers get the curve's width.
    ///
    /// - Returns: nil when it is not one.
    init?(ecdsa der: [UInt8], width: Int) {
        let parsed = der.withUnsafeBufferPointer { bytes -> OpaquePointer? in
            var next = bytes.baseAddress
            guard let signature = d2i_ECDSA_SIG(nil, &next, bytes.count) else { return nil }
            guard next == bytes.baseAddress.map({ $0 + bytes.count }) else {
                ECDSA_SIG_free(signature)
                return nil
            }
            return signature
        }
        guard let parsed else {
            ERR_clear_error()
            return nil
        }
        defer { ECDSA_SIG_free(parsed) }
        var r = [UInt8](repeating: 0, count: width)
        var s = r
        guard BN_bn2binpad(ECDSA_SIG_get0_r(parsed), &r, CInt(width)) == width,
            BN_bn2binpad(ECDSA_SIG_get0_s(parsed), &s, CInt(width)) == width
        else {
            ERR_clear_error()
            return nil
        }
        encoded = TPMWriter.bytes { writer in
            writer.integer(TPMAlgorithm.ecdsa)
            writer.integer(TPMAlgorithm.sha256)
            writer.sized(r)
            writer.sized(s)
        }
    }
}
