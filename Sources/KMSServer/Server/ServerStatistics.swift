/// What a server has counted since its start.
public struct ServerStatistics: Sendable, Equatable {
    /// How often a method was answered with a code.
    public struct Requests: Sendable, Equatable {
        /// As gRPC writes it, such as `/v2.KeyManagementService/Encrypt`; `unknown` for all methods that are not served.
        public let method: String
        /// As gRPC writes it, such as `OK` or `INVALID_ARGUMENT`.
        public let code: String
        /// How often.
        public let count: UInt64
    }

    /// Why a connection was closed before gRPC core got it.
    public enum Refusal: String, Sendable, CaseIterable {
        /// Neither its uid nor its gid is in the socket's allow-list.
        case notAllowed
        /// Its uid is 65534: the peer is in a user namespace that does not map it.
        case unmapped
        /// The kernel did not say who it is.
        case unidentified
        /// It sent nothing in time, or closed before it had sent HTTP/2's preface.
        case silent
        /// It speaks something else than HTTP/2.
        case notHTTP2
    }

    /// Open connections of the KMS socket.
    public var connections = 0
    /// Open connections of the control socket.
    public var controlConnections = 0
    /// Connections handed to gRPC core since the start, of both sockets.
    public var acceptedConnections: UInt64 = 0
    /// Connections that were refused, by reason.
    public var refused: [Refusal: UInt64] = [:]
    /// Decrypts that wait for a KEK to be opened.
    public var coldCalls = 0
    /// Answered calls, by method and code; only what has happened.
    public var requests: [Requests] = []
}
