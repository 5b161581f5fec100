/// What something that arrived from etcd or from another node may do here. Pure functions: they ask no hardware and
/// store nothing.
public enum AdoptionRules {
    /// 64: a KEK becomes active only if its generation is at most so much higher.
    public static let maximumGenerationStep: UInt64 = 64

    /// Who vouches for a record whose KEK is unknown here: the trusted KEK of the highest generation that does.
    ///
    /// - Parameters:
    ///   - trusted: the KEKs that this node has open and believes.
    ///   - floor: the voucher floor of the KEK that is active here. The one in the record itself does not count: it is
    ///     the word of whoever made the record.
    /// - Returns: nil when nobody does; the record is then not to be looked at.
    public static func voucher(for record: Record, among trusted: [TrustedKEK], floor: UInt64) -> TrustedKEK? {
        trusted.filter { $0.identity.generation >= floor && $0.vouches(for: record) }
            .max { $0.identity.generation < $1.identity.generation }
    }

    /// What a publication means for the KEK that is active here.
    public enum Activation: Sendable, Equatable {
        /// It says what is so.
        case current
        /// Its active KEK is to become active here.
        case follow
        /// Its active KEK is an earlier one: a node never goes back.
        case earlier
        /// Another KEK of the same generation: this node keeps its own, both decrypt, an operator has to hear of it.
        case rival
        /// More than 64 generations ahead.
        case tooFar
        /// The KEK that is active here does not vouch for it.
        case notVouched
        /// Its MAC is not that of its active KEK, or it is of another keyring.
        case notAuthentic
    }

    /// Whether the active KEK of a publication becomes active here.
    ///
    /// - Parameters:
    ///   - candidate: the publication's active KEK, opened.
    ///   - active: the KEK that is active here now.
    public static func activation(of publication: Publication, candidate: KEK, active: TrustedKEK) -> Activation {
        let identity = publication.active.identity
        guard identity.keyring == active.identity.keyring, publication.isAuthentic(under: candidate) else {
            return .notAuthentic
        }
        if identity.kekID == active.identity.kekID { return .current }
        if identity.generation == active.identity.generation { return .rival }
        guard identity.generation > active.identity.generation else { return .earlier }
        guard identity.generation - active.identity.generation <= maximumGenerationStep else { return .tooFar }
        return active.vouches(for: publication.active) ? .follow : .notVouched
    }
}
