internal import CLinux
internal import Glibc

/// An answer of an HTTP server, read until it closed the connection.
public struct HTTPResponse: Sendable {
    /// Such as 200.
    public let status: Int
    /// Names in lower case.
    public let headers: [String: String]
    /// After the headers.
    public let body: String

    /// Sends `text` and reads to the end.
    public static func to(_ text: String, _ address: HTTPAddress) throws -> HTTPResponse {
        let file = try address.connect()
        defer { close(file) }
        let bytes = Array(text.utf8)
        guard send(file, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count else { throw TestError("not sent") }
        return try HTTPResponse(parsing: try readAll(file))
    }

    /// Asks for a path.
    public static func get(_ path: String, _ address: HTTPAddress, method: String = "GET") throws -> HTTPResponse {
        try to("\(method) \(path) HTTP/1.1\r\nHost: localhost\r\n\r\n", address)
    }

    private static func readAll(_ file: Int32) throws -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while true {
            var event = pollfd(fd: file, events: Int16(POLLIN), revents: 0)
            guard poll(&event, 1, 20_000) > 0 else { throw TestError("no end of the answer") }
            let count = recv(file, &chunk, chunk.count, 0)
            if count <= 0 { return bytes }
            bytes += chunk.prefix(count)
        }
    }

    private init(parsing bytes: [UInt8]) throws {
        let text = String(decoding: bytes, as: UTF8.self)
        guard let end = text.range(ofText: "\r\n\r\n") else { throw TestError("no HTTP: \(text)") }
        var lines = text[..<end.lowerBound].split(separator: "\r\n")[...]
        let words = lines.popFirst()?.split(separator: " ") ?? []
        guard words.count > 1, words[0].hasPrefix("HTTP/1."), let status = Int(words[1]) else {
            throw TestError("no status: \(text)")
        }
        self.status = status
        headers = Dictionary(
            lines.map { line in
                let parts = line.split(separator: ":", maxSplits: 1)
                return (parts[0].lowercased(), parts.count > 1 ? String(parts[1].drop { $0 == " " }) : "")
            }
        ) { first, _ in first }
        body = String(text[end.upperBound...])
    }
}

/// Where to connect to.
public enum HTTPAddress: Sendable {
    /// Of 127.0.0.1.
    case port(UInt16)
    /// A socket's path.
    case unix(String)

    /// A connected socket, which the caller closes.
    public func connect() throws -> Int32 {
        let code: Int32
        let file: Int32
        switch self {
        case .port(let port):
            file = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
            var name = sockaddr_in()
            name.sin_family = sa_family_t(AF_INET)
            name.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
            name.sin_port = port.bigEndian
            code = HTTPAddress.connect(file, name)
        case .unix(let path):
            file = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
            var name = sockaddr_un()
            name.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
            code = HTTPAddress.connect(file, name)
        }
        guard code == 0 else {
            close(file)
            throw TestError("connect: \(String(cString: strerror(code)))")
        }
        return file
    }

    private static func connect<Name>(_ file: Int32, _ name: Name) -> Int32 {
        withUnsafePointer(to: name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                let name = __CONST_SOCKADDR_ARG(__sockaddr__: $0)
                return Glibc.connect(file, name, socklen_t(MemoryLayout<Name>.size)) == 0 ? 0 : errno
            }
        }
    }
}

extension String {
    fileprivate func range(ofText other: String) -> Range<Index>? {
        // Of bytes: "\r\n" is one character.
        let (bytes, searched) = (Array(utf8), Array(other.utf8))
        guard bytes.count >= searched.count else { return nil }
        for start in 0...(bytes.count - searched.count) where bytes[start...].starts(with: searched) {
            let lower = utf8.index(utf8.startIndex, offsetBy: start)
            return lower..<utf8.index(lower, offsetBy: searched.count)
        }
        return nil
    }
}
