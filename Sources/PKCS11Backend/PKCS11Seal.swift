internal import Keyring

/// What a seal holds: version(1) ‖ mechanism(4, big-endian) ‖ style(1) ‖ IV length(1) ‖ IV ‖ ciphertext.
///
/// The mechanism is stored as its CKM number and not guessed: 0x210A means two things to two vendors, and a token's
/// list changes with its firmware. Frozen: docs/formats.md.
struct PKCS11Seal: Sendable, Equatable {
    static let version: UInt8 = 1
    /// As `Seal.bytes` allows.
    static let limit = 2048

    /// Where the IV comes from, and how the mechanism is called.
    enum Style: UInt8, Sendable {
        /// AES-GCM with the caller's random IV; the ciphertext ends with the 16-byte tag.
        case callerIV = 1
        /// AES-GCM with an IV of 12 to 16 bytes that the token wrote to pIv; the ciphertext ends with the 16-byte tag.
        case writtenIV = 2
        /// AES-GCM with an IV of 12 or 16 bytes that the token appended to its output; stored as `iv`, and not in the
        /// ciphertext, which ends with the 16-byte tag.
        case appendedIV = 3
        /// AES key wrap with padding by C_Encrypt, of KEK ‖ SHA-256(bound); no IV.
        case wrapByEncrypt = 4
        /// AES key wrap with padding by C_WrapKey, of a generic secret KEK ‖ SHA-256(bound); no IV.
        case wrapKey = 5
        /// RSA-OAEP with SHA-256 and MGF1-SHA-256, empty label, of KEK ‖ SHA-256(bound); no IV.
        case oaepSHA256 = 6
        /// RSA-OAEP with SHA-1 and MGF1-SHA-1, empty label, of KEK ‖ SHA-256(bound); no IV.
        case oaepSHA1 = 7

        /// Whether two seals of one KEK differ.
        var isRandomized: Bool { self != .wrapByEncrypt && self != .wrapKey }

        /// Whether only the token's secret key could have made the seal.
        var isAuthenticated: Bool { self != .oaepSHA256 && self != .oaepSHA1 }
    }

    /// CKM_….
    let mechanism: UInt32
    let style: UInt8
    let iv: [UInt8]
    let ciphertext: [UInt8]

    init(mechanism: UInt32, style: Style, iv: [UInt8], ciphertext: [UInt8]) {
        self.mechanism = mechanism
        self.style = style.rawValue
        self.iv = iv
        self.ciphertext = ciphertext
    }

    var encoded: [UInt8] {
        [PKCS11Seal.version] + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: mechanism >> $0) }
            + [style, UInt8(truncatingIfNeeded: iv.count)] + iv + ciphertext
    }

    /// - Throws: `seal`; the mechanism and its lengths are checked by `SealingMechanisms`.
    init(_ bytes: [UInt8]) throws(PKCS11Error) {
        guard bytes.count <= PKCS11Seal.limit else { throw PKCS11Seal.error("it has \(bytes.count) bytes") }
        guard let first = bytes.first else { throw PKCS11Seal.error("it is empty") }
        guard first == PKCS11Seal.version else {
            throw PKCS11Seal.error("version \(first) is unknown", hint: "a newer trousseau made it")
        }
        guard bytes.count >= 7, bytes.count > 7 + Int(bytes[6]) else { throw PKCS11Seal.error("it is cut short") }
        mechanism = bytes[1...4].reduce(0) { $0 << 8 | UInt32($1) }
        style = bytes[5]
        iv = Array(bytes[7..<(7 + Int(bytes[6]))])
        ciphertext = Array(bytes[(7 + Int(bytes[6]))...])
    }

    static func error(_ message: String, hint: String? = nil) -> PKCS11Error {
        PKCS11Error(.seal, "pkcs11 seal: \(message)", hint: hint, errorClass: .permanent)
    }

    /// "Does not open" and "opens to something else" are one error: nobody learns which.
    static let doesNotOpen = PKCS11Error(
        .seal, "pkcs11 seal: it does not open with this key", errorClass: .permanent)

    /// What is bound to the KEK, as associated data or by its hash, each part prefixed with its length in 4 bytes,
    /// big-endian. All styles but the first bind mechanism(4) ‖ style(1) as another part: `SealingMechanism.bound`.
    static func context(_ kekID: KEKID) -> [UInt8] {
        lengthPrefixed(Array("trousseau pkcs11 seal v1".utf8)) + lengthPrefixed(kekID.bytes)
    }

    static func lengthPrefixed(_ bytes: [UInt8]) -> [UInt8] {
        let count = UInt32(truncatingIfNeeded: bytes.count)
        return [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: count >> $0) } + bytes
    }
}
