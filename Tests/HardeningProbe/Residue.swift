internal import Crypto

/// Looks for keys in all of the process's writable memory, while they live and after they are gone. The kernel reads
/// the memory (/proc/self/mem): a freed address is not touched by us.
enum Residue {
    static func run() throws {
        var needles = [try live(), try messageKey()]
        needles.append(try derived())
        for needle in needles { say(needle.name, "\(needle.whileAlive) \(try Memory.count(needle)) ") }
    }

    /// A key, a cipher that uses it, and what was derived from it, all at once.
    private static func live() throws -> Needle {
        let key = try SecretBytes(randomCount: 32)
        var needle = Needle("key", key)
        let cipher = try XAES256GCM(key: key)
        try Leaks.roundTrip(cipher)
        _ = try HMACSHA256.authenticate([1, 2, 3], key: key)
        _ = try KBKDF.derive(from: key, label: "enc", count: 32)
        needle.whileAlive = try Memory.count(needle)
        return needle
    }

    private static func derived() throws -> Needle {
        let key = try KBKDF.derive(from: try SecretBytes(randomCount: 32), label: "enc", count: 32)
        var needle = Needle("derived", key)
        try Leaks.roundTrip(try XAES256GCM(key: key))
        needle.whileAlive = try Memory.count(needle)
        return needle
    }

    /// The key that XAES derives for one message: that of the specification's first vector is known.
    private static func messageKey() throws -> Needle {
        var needle = Needle("messageKey", masked: "c8612c9ed53fe43e8e005b828a1631a0bbcb6ab2f46514ec4f439fcfd0fa969b")
        let key = try SecretBytes(count: 32) { (memory) throws(CryptoError) in
            for index in memory.indices { memory[index] = 1 }
        }
        let cipher = try XAES256GCM(key: key)
        let nonce = Array("ABCDEFGHIJKLMNOPQRSTUVWX".utf8)
        var output = [UInt8](repeating: 0, count: 16)
        try nonce.withUnsafeBytes { nonce in
            try output.withUnsafeMutableBytes { output in
                try cipher.seal(
                    UnsafeRawBufferPointer(start: nil, count: 0), nonce: nonce,
                    aad: UnsafeRawBufferPointer(start: nil, count: 0), into: output)
            }
        }
        // The key schedule in GCM's context begins with it, until the next message or the end.
        needle.whileAlive = try Memory.count(needle)
        return needle
    }
}

/// What is looked for, kept masked so that the search does not find itself.
struct Needle {
    let name: String
    var whileAlive = 0
    private let masked: [UInt8]

    init(_ name: String, _ secret: borrowing SecretBytes) {
        self.name = name
        masked = secret.withUnsafeBytes { $0.map { $0 ^ 0xA5 } }
    }

    init(_ name: String, masked hexadecimal: String) {
        self.name = name
        let digits = hexadecimal.utf8.map { $0 > 57 ? $0 - 87 : $0 - 48 }
        masked = stride(from: 0, to: digits.count, by: 2).map { (digits[$0] << 4 | digits[$0 + 1]) ^ 0xA5 }
    }

    /// Half a key is a find, too.
    static let length = 16

    func matches(_ memory: UnsafeMutablePointer<UInt8>) -> Bool {
        for index in 0..<Needle.length where memory[index] ^ 0xA5 != masked[index] { return false }
        return true
    }
}
