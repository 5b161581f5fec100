internal import Glibc

/// Which of the two sockets a connection came by.
enum Entrance: Int, Sendable, CaseIterable {
    case kms
    case control

    /// Of a folder that has to be made for the socket.
    private var folderMode: mode_t { self == .kms ? 0o755 : 0o700 }

    /// Takes both sockets from systemd, or makes those that it did not hand over.
    static func open(_ configuration: ServerConfiguration) throws(ServerError) -> [Entrance: ListeningSocket] {
        var activated = try SocketActivation.take(from: configuration.firstActivatedDescriptor)
        var sockets: [Entrance: ListeningSocket] = [:]
        do throws(ServerError) {
            sockets[.kms] = try kms.open(activated.kms.take(), configuration.socket)
            sockets[.control] = try control.open(activated.control.take(), configuration.control)
        } catch {
            for socket in sockets.values { socket.removeFile() }
            throw error
        }
        return sockets
    }

    private func open(
        _ activated: consuming Descriptor?, _ configuration: SocketConfiguration
    ) throws(ServerError) -> ListeningSocket {
        if let activated { return ListeningSocket(adopting: activated, path: configuration.path) }
        return try ListeningSocket.create(configuration, folderMode: folderMode)
    }
}
