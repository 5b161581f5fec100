/// What `trousseau reseal` is to do.
public struct ResealOptions: Sendable, Hashable {
    /// The backend whose seals are made anew although they open; nil for none.
    public var backend: String?
    /// Make sealing keys that do not exist yet.
    public var generateKeys: Bool
    /// Remove the recipients of backends that only unseal, where enough other seals were opened in this run.
    public var dropReplaced: Bool
    /// States of the machine that are to come, to which the backends that measure it seal besides, in their own language;
    /// they replace those of an earlier run.
    public var expecting: [String]

    /// Options.
    public init(
        backend: String? = nil, generateKeys: Bool = false, dropReplaced: Bool = false, expecting: [String] = []
    ) {
        self.backend = backend
        self.generateKeys = generateKeys
        self.dropReplaced = dropReplaced
        self.expecting = expecting
    }
}
