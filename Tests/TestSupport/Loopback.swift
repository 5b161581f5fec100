internal import CLinux
internal import Glibc

/// TCP ports of 127.0.0.1.
public enum Loopback {
    /// A port that was free a moment ago.
    public static func freePort() throws(TestError) -> Int {
        let file = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard file >= 0 else { throw .systemCall("socket", "", errno) }
        defer { close(file) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address -> Int32 in
                let bound = bind(file, __CONST_SOCKADDR_ARG(__sockaddr__: address), size)
                return bound == 0 && getsockname(file, __SOCKADDR_ARG(__sockaddr__: address), &size) == 0 ? 0 : errno
            }
        }
        guard code == 0 else { throw .systemCall("bind", "127.0.0.1", code) }
        return Int(UInt16(bigEndian: address.sin_port))
    }
}
