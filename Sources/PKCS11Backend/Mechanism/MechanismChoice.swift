internal import CP11Kit
internal import Keyring

/// Which mechanism seals with a key, and why not the others.
struct MechanismChoice: Sendable {
    /// What became of one mechanism, in the order of choice.
    struct Verdict: Sendable {
        let mechanism: any SealingMechanism
        /// `chosen: …`, or why not.
        let reason: String
        let isChosen: Bool
    }

    let verdicts: [Verdict]

    /// Sieves by what key and token say, then tries: the first mechanism that passes its probe is chosen.
    ///
    /// A mechanism that fails is passed over, one that pretends to seal and does not ends the search: such a token is
    /// not to be trusted with another.
    ///
    /// - Parameter allowSHA1OAEP: whether the operator accepts RSA-OAEP with SHA-1.
    /// - Throws: `keyRefused`, or a failure that says nothing about the mechanism.
    init(
        _ session: Session, _ slot: CK_SLOT_ID, _ key: SealingKey, allowSHA1OAEP: Bool
    ) throws(PKCS11Error) {
        var verdicts: [Verdict] = []
        var isFound = false
        for mechanism in SealingMechanisms.all {
            let reason: String
            if isFound {
                reason = "not tried: one before it was chosen"
            } else if mechanism.style == .oaepSHA1 && !allowSHA1OAEP {
                reason = "SHA-1 is used only by the operator's word (allowSHA1OAEP)"
            } else if let objection = try mechanism.objection(session, slot, key) {
                reason = objection
            } else if let failure = try MechanismProbe.run(mechanism, session, key) {
                reason = "tried, and failed: \(failure)"
            } else {
                isFound = true
                verdicts.append(
                    Verdict(
                        mechanism: mechanism,
                        reason: "chosen: two seals opened, an altered copy and a foreign context did not",
                        isChosen: true))
                continue
            }
            verdicts.append(Verdict(mechanism: mechanism, reason: reason, isChosen: false))
        }
        self.verdicts = verdicts
    }

    /// The mechanism.
    ///
    /// - Throws: `keyRefused` with every reason, when there is none.
    func chosen(for key: SealingKey) throws(PKCS11Error) -> any SealingMechanism {
        for verdict in verdicts where verdict.isChosen { return verdict.mechanism }
        // Each reason once: "not an AES key" holds for many.
        var lines: [String] = []
        for verdict in verdicts {
            let line = "\(verdict.mechanism.name): \(verdict.reason)"
            if !lines.contains(line) { lines.append(line) }
        }
        throw PKCS11Error(
            .keyRefused, "key \(key.name) cannot seal: \(lines.joined(separator: "; "))",
            hint: "use an AES key with CKA_ENCRYPT and CKA_DECRYPT on a token that has CKM_AES_GCM, or an RSA private "
                + "key with CKA_DECRYPT on one that has CKM_RSA_PKCS_OAEP")
    }
}
