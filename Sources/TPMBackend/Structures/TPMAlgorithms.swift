internal import Crypto

/// TPM_ALG_ID (TCG Algorithm Registry): the few that stand in our structures.
enum TPMAlgorithm {
    static let rsa: UInt16 = 0x0001
    static let aes: UInt16 = 0x0006
    static let keyedHash: UInt16 = 0x0008
    static let sha256: UInt16 = 0x000b
    static let sha384: UInt16 = 0x000c
    static let sha512: UInt16 = 0x000d
    static let null: UInt16 = 0x0010
    static let rsassa: UInt16 = 0x0014
    static let ecdsa: UInt16 = 0x0018
    static let ecc: UInt16 = 0x0023
    static let cfb: UInt16 = 0x0043
}

extension HashAlgorithm {
    /// Its TPM_ALG_ID.
    var tpmAlgorithm: UInt16 {
        switch self {
        case .sha256: TPMAlgorithm.sha256
        case .sha384: TPMAlgorithm.sha384
        case .sha512: TPMAlgorithm.sha512
        }
    }

    /// Nil for SHA-1, which no Name should be made with, and for others than SHA-2.
    init?(tpmAlgorithm: UInt16) {
        guard let known = HashAlgorithm.allCases.first(where: { $0.tpmAlgorithm == tpmAlgorithm }) else { return nil }
        self = known
    }
}

extension EllipticCurve {
    /// Its TPM_ECC_CURVE.
    var tpmCurve: UInt16 { self == .p256 ? 0x0003 : 0x0004 }

    /// Nil for all but P-256 and P-384.
    init?(tpmCurve: UInt16) {
        guard let known = EllipticCurve.allCases.first(where: { $0.tpmCurve == tpmCurve }) else { return nil }
        self = known
    }
}
