internal import CP11Kit

/// Whether a key's attributes protect it.
struct KeyCheck: Sendable, Equatable {
    /// Reasons to refuse the key, unless the operator insists.
    let unsafe: [String]
    /// Reasons to tell the operator.
    let warnings: [String]

    /// An attribute that the token does not show counts as the bad one for `unsafe`, and is passed over for `warnings`.
    init(_ session: Session, _ key: CK_OBJECT_HANDLE) throws(PKCS11Error) {
        var unsafe: [String] = []
        if try session.flag(AttributeType.isPrivate, of: key) != true {
            unsafe.append("it is not private (CKA_PRIVATE): it can be used without a login")
        }
        if try session.flag(AttributeType.sensitive, of: key) != true {
            unsafe.append("it is not sensitive (CKA_SENSITIVE): its value can be read")
        }
        if try session.flag(AttributeType.extractable, of: key) != false {
            unsafe.append("it is extractable (CKA_EXTRACTABLE): it can leave the token wrapped")
        }
        if session.valueIsReadable(key) { unsafe.append("its value is readable (CKA_VALUE)") }
        self.unsafe = unsafe

        var warnings: [String] = []
        if try session.flag(AttributeType.decrypt, of: key) == true {
            for (type, name) in [(AttributeType.wrap, "WRAP"), (AttributeType.unwrap, "UNWRAP")] {
                if try session.flag(type, of: key) == true {
                    warnings.append("CKA_\(name) together with CKA_DECRYPT: other keys can be wrapped, then decrypted")
                }
            }
        }
        if try session.flag(AttributeType.modifiable, of: key) == true {
            warnings.append("it is modifiable (CKA_MODIFIABLE): its attributes can be changed")
        }
        if try session.flag(AttributeType.local, of: key) == false {
            warnings.append("it was not made on this token (CKA_LOCAL): copies may exist")
        }
        if try session.flag(AttributeType.alwaysSensitive, of: key) == false {
            warnings.append("it was not always sensitive (CKA_ALWAYS_SENSITIVE): its value may have been read")
        }
        self.warnings = warnings
    }

    /// - Throws: `keyRefused` with all reasons.
    func enforce(_ name: String, allowUnsafe: Bool) throws(PKCS11Error) {
        guard !unsafe.isEmpty, !allowUnsafe else { return }
        throw PKCS11Error(
            .keyRefused, "key \(name) is unsafe: \(unsafe.joined(separator: "; "))",
            hint: "let init --generate-keys make one under another label, or set allowUnsafeKey")
    }
}
