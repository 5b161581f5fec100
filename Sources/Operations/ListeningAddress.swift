/// Where the operations server listens: on this machine only, since it asks nobody who they are.
public enum ListeningAddress: Sendable, Hashable {
    /// TCP on 127.0.0.0/8: the address's 32 bits in host order. Port 0 is any free one.
    case ipv4(UInt32, port: UInt16)
    /// TCP on ::1.
    case ipv6Loopback(port: UInt16)
    /// A Unix socket, of mode 0660: an absolute path of at most 107 bytes.
    case unix(String)
}

extension ListeningAddress: CustomStringConvertible {
    /// `127.0.0.1:9441`, `[::1]:9441` or a path.
    public var description: String {
        switch self {
        case .ipv4(let address, let port):
            let bytes = [24, 16, 8, 0].map { String(address >> UInt32($0) & 0xff) }
            return bytes.joined(separator: ".") + ":\(port)"
        case .ipv6Loopback(let port): return "[::1]:\(port)"
        case .unix(let path): return path
        }
    }
}
