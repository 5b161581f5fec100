/// A Unix socket, and who may connect to it.
public struct SocketConfiguration: Sendable, Equatable {
    /// An absolute path of at most 107 bytes, or `@name` in the abstract namespace.
    public var path: String
    /// Permission bits that the socket is created with.
    public var mode: UInt32
    /// Nil: the process's own.
    public var owner: UInt32?
    /// Nil: the process's own.
    public var group: UInt32?
    /// Numeric uids that are let in, by SO_PEERCRED.
    public var allowUsers: [UInt32]
    /// Numeric primary gids that are let in, by SO_PEERCRED.
    public var allowGroups: [UInt32]

    /// A socket of mode 0600 that only user 0 may connect to.
    public init(
        path: String, mode: UInt32 = 0o600, owner: UInt32? = nil, group: UInt32? = nil, allowUsers: [UInt32] = [0],
        allowGroups: [UInt32] = []
    ) {
        self.path = path
        self.mode = mode
        self.owner = owner
        self.group = group
        self.allowUsers = allowUsers
        self.allowGroups = allowGroups
    }
}
