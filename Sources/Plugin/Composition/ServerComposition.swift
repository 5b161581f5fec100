internal import Configuration
internal import KMSServer

/// Makes the server of a configuration.
enum ServerComposition {
    /// Both sockets, as the configuration has them.
    static func server(_ configuration: PluginConfiguration.Server) -> ServerConfiguration {
        ServerConfiguration(
            socket: socket(configuration.socket), control: socket(configuration.control),
            runtimeVersion: Trousseau.version)
    }

    private static func socket(_ socket: PluginConfiguration.Socket) -> SocketConfiguration {
        SocketConfiguration(
            path: socket.path, mode: socket.mode, owner: socket.owner, group: socket.group,
            allowUsers: socket.allowUsers, allowGroups: socket.allowGroups)
    }
}
