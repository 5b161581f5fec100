import CLinux
import Crypto
import Glibc
import TestSupport

@testable import TPMBackend

/// A software TPM spoken to in its own bytes (part 3, "Commands"), where a program a command would take too long.
final class RawTPM {
    private let file: Int32

    init(_ socket: String) throws {
        file = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: socket.utf8.prefix($0.count - 1)) }
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(
                    file, __CONST_SOCKADDR_ARG(__sockaddr__: $0), socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard code == 0 else { throw TestError("connect \(socket): \(errno)") }
    }

    deinit { close(file) }

    /// CreatePrimary in the owner hierarchy with `unique` in the template, and the key's public area.
    func createPrimary(unique: [UInt8]) throws -> (handle: UInt32, publicArea: TPMPublic) {
        let template = TPMPublic(
            nameAlgorithm: .sha256, attributes: ObjectAttributes(rawValue: 0x30472),
            key: .ecc(.aesCFB(bits: 128), .p256, x: unique, y: unique))
        let answer = try command(0x131, handles: [0x4000_0001]) { writer in
            // An empty auth value and no data, nothing for creation data.
            writer.sized([0, 0, 0, 0])
            writer.sized(template.encoded)
            writer.sized([])
            writer.integer(UInt32(0))
        }
        var reader = TPMReader(answer, "response")
        let handle = try reader.uint32()
        _ = try reader.uint32()
        return (handle, try TPMPublic(reader.sized("public", atMost: TPMPublic.limit)))
    }

    func flush(_ handle: UInt32) throws {
        _ = try command(0x165, session: false) { $0.integer(handle) }
    }

    /// EvictControl: the object gets a persistent handle.
    func makePersistent(_ handle: UInt32, at persistent: UInt32) throws {
        _ = try command(0x120, handles: [0x4000_0001, handle]) { $0.integer(persistent) }
    }

    /// Sends a command with one password session of an empty password, or with none; the response's body.
    private func command(
        _ code: UInt32, handles: [UInt32] = [], session: Bool = true, _ parameters: (inout TPMWriter) -> Void
    ) throws -> [UInt8] {
        let body = TPMWriter.bytes { writer in
            writer.integer(code)
            for handle in handles { writer.integer(handle) }
            if session {
                writer.integer(UInt32(9))
                writer.append([0x40, 0, 0, 9, 0, 0, 0, 0, 0])
            }
            parameters(&writer)
        }
        let message = TPMWriter.bytes { writer in
            writer.integer(UInt16(session ? 0x8002 : 0x8001))
            writer.integer(UInt32(body.count + 6))
            writer.append(body)
        }
        guard write(file, message, message.count) == message.count else { throw TestError("write: \(errno)") }
        var reader = TPMReader(try receive(10), "response")
        _ = try reader.uint16()
        let count = Int(try reader.uint32())
        let result = try reader.uint32()
        let rest = try receive(count - 10)
        guard result == 0 else {
            throw TestError("command 0x\(String(code, radix: 16)): 0x\(String(result, radix: 16))")
        }
        return rest
    }

    private func receive(_ count: Int) throws -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while bytes.count < count {
            let got = read(file, &chunk, min(chunk.count, count - bytes.count))
            guard got > 0 else { throw TestError("the TPM has hung up") }
            bytes += chunk.prefix(got)
        }
        return bytes
    }
}
