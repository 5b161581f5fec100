/// Why a call of the client failed.
public struct ClientError: Error, Sendable, Equatable {
    /// What kind of failure it is.
    public enum Code: Sendable, Equatable {
        /// Nobody serves the socket, or this process may not connect to it.
        case notReachable
        /// No answer within the timeout.
        case deadlineExceeded
        /// The server does not have the method.
        case unimplemented
        /// The server, or gRPC for it, answered with another error; its status is in the message.
        case refused
        /// The server's answer is not what its API says.
        case invalidAnswer
        /// This process lacks what a call needs: memory, descriptors.
        case resources
    }

    /// What kind of failure it is.
    public let code: Code
    /// What failed and why, on one line, fit for a terminal: texts of the server are escaped and cut.
    public let message: String
    /// What to do, where we know.
    public let hint: String?

    init(_ code: Code, _ message: String, hint: String? = nil) {
        self.code = code
        self.message = message
        self.hint = hint
    }
}
