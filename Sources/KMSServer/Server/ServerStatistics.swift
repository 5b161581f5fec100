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

        /// A method's.
        public init(method: String, code: String, count: UInt64) {
            self.method = method
            self.code = code
            self.count = count
        }
    }

    /// How long a method's calls took, waits for a KEK included: from their arrival to their answer.
    public struct Durations: Sendable, Equatable {
        /// As `Requests.method`.
        public let method: String
        /// Failed calls included.
        public let histogram: DurationHistogram

        /// A method's.
        public init(method: String, histogram: DurationHistogram) {
            self.method = method
            self.histogram = histogram
        }
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
    /// Of the KMS socket's methods that were called.
    public var durations: [Durations] = []

    /// Nothing counted yet.
    public init() {}
}
