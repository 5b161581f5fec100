/// How a server is reached.
struct TransportOptions: Sendable, Equatable {
    /// PEM, absolute path; nil: the system's certificates.
    var caFile: String?
    /// PEM, absolute paths; both or none.
    var certificateFile: String?
    var keyFile: String?
    /// Whose certificate is expected, if it is not the host of the address.
    var serverName: String?
    /// `http://host:port`; nil: none, whatever the environment says.
    var proxy: String?
}
