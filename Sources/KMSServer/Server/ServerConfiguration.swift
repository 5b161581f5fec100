/// What a `Server` needs to know.
public struct ServerConfiguration: Sendable {
    /// KMS v2 and v1beta1.
    public var socket: SocketConfiguration
    /// The Control service, which no peer of `socket` can reach.
    public var control: SocketConfiguration
    /// What v1beta1's Version answers as runtime_version.
    public var runtimeVersion: String
    /// How many connections the KMS socket holds; further ones wait in the kernel's backlog until one ends.
    public var maximumConnections = 64
    /// How long a connection may be without a call before it is closed.
    public var idleTimeout: Duration = .seconds(600)
    /// How long a connection may take to send HTTP/2's preface of 24 bytes.
    public var handshakeTimeout: Duration = .seconds(10)
    /// How many Decrypts may wait for a KEK to be opened.
    public var maximumColdCalls = 256
    /// How long a Decrypt may wait for a KEK whose caller has set no deadline.
    public var coldTimeout: Duration = .seconds(10)

    /// Where systemd's sockets begin. Tests have other descriptors there.
    var firstActivatedDescriptor = SocketActivation.firstDescriptor

    /// A server with the limits of docs/architecture.md.
    public init(socket: SocketConfiguration, control: SocketConfiguration, runtimeVersion: String) {
        self.socket = socket
        self.control = control
        self.runtimeVersion = runtimeVersion
    }
}
