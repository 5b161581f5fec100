internal import CP11Kit
internal import Keyring

/// What a new AES key is made for: the first mechanism that its token claims to have, in the order of choice.
struct KeyPurpose: Sendable {
    /// The only mechanism that the key will be allowed.
    let mechanism: UInt32
    /// CKA_WRAP and CKA_UNWRAP instead of CKA_ENCRYPT and CKA_DECRYPT.
    let isForWrapping: Bool

    private static let all = [
        KeyPurpose(mechanism: UInt32(CKM_AES_GCM), isForWrapping: false),
        KeyPurpose(mechanism: AESKeyWrap.kwp, isForWrapping: false),
        KeyPurpose(mechanism: AESKeyWrap.wrapPad, isForWrapping: false),
        KeyPurpose(mechanism: AESKeyWrap.kwp, isForWrapping: true),
        KeyPurpose(mechanism: AESKeyWrap.wrapPad, isForWrapping: true),
    ]

    private var flags: CK_FLAGS {
        isForWrapping
            ? CK_FLAGS(CKF_WRAP) | CK_FLAGS(CKF_UNWRAP) : CK_FLAGS(CKF_ENCRYPT) | CK_FLAGS(CKF_DECRYPT)
    }

    /// What a key on the session's token can be made for.
    ///
    /// - Throws: `keyRefused` when the token has no mechanism by which an AES key seals.
    init(_ session: Session) throws(PKCS11Error) {
        for purpose in KeyPurpose.all {
            var info = CK_MECHANISM_INFO()
            let code = session.module.code {
                $0.pointee.C_GetMechanismInfo?(session.slot, CK_ULONG(purpose.mechanism), &info)
            }
            if code == .ok, info.flags & purpose.flags == purpose.flags {
                self = purpose
                return
            }
            guard code == .ok || RecoveryLevel(code) == .request else {
                throw PKCS11Error(call: "C_GetMechanismInfo", code)
            }
        }
        throw PKCS11Error(
            .keyRefused, "the token has no mechanism by which an AES key could seal (CKM_AES_GCM or key wrap)",
            hint: "make an RSA key pair with the HSM's own tools, for CKM_RSA_PKCS_OAEP, and name it with type=private")
    }

    private init(mechanism: UInt32, isForWrapping: Bool) {
        self.mechanism = mechanism
        self.isForWrapping = isForWrapping
    }
}
