internal import Crypto

/// Does everything the hot path does, very often, and says how much memory stayed behind.
enum Leaks {
    static func run() throws {
        let key = try SecretBytes(randomCount: 32)
        let cipher = try XAES256GCM(key: key)
        func once() throws {
            try roundTrip(cipher)
            _ = try XAES256GCM(key: key)
            _ = try KBKDF.derive(from: key, label: "enc", count: 32)
            _ = try HMACSHA256.authenticate([1, 2, 3], key: key)
            try refusal(cipher)
        }
        for _ in 0..<2_000 { try once() }
        let heap = SecureHeap.used
        let memory = try residentKiB()
        for _ in 0..<20_000 { try once() }
        say("heap", "\(SecureHeap.used - heap)")
        say("residentKiB", "\(try residentKiB() - memory)")
    }

    static func roundTrip(_ cipher: XAES256GCM) throws {
        let nonce = try Random.bytes(24)
        let plaintext = [UInt8](repeating: 7, count: 32)
        var ciphertext = [UInt8](repeating: 0, count: 48)
        try use(plaintext, nonce, &ciphertext, cipher.seal)
        var opened = [UInt8](repeating: 0, count: 32)
        try use(ciphertext, nonce, &opened, cipher.open)
    }

    private static func refusal(_ cipher: XAES256GCM) throws {
        var opened: [UInt8] = []
        do {
            try use([UInt8](repeating: 0, count: 16), [UInt8](repeating: 0, count: 24), &opened, cipher.open)
        } catch let error as CryptoError where error.code == .authenticationFailed {}
    }

    private static func use(
        _ input: [UInt8], _ nonce: [UInt8], _ output: inout [UInt8],
        _ operation: (
            UnsafeRawBufferPointer, UnsafeRawBufferPointer, UnsafeRawBufferPointer, UnsafeMutableRawBufferPointer
        ) throws(CryptoError) -> Void
    ) throws {
        try input.withUnsafeBytes { input in
            try nonce.withUnsafeBytes { nonce in
                try output.withUnsafeMutableBytes { output in
                    try operation(input, nonce, nonce, output)
                }
            }
        }
    }

    private static func residentKiB() throws -> Int {
        let text = try status("VmRSS")
        guard let value = Int(text.prefix { $0 != " " }) else { throw ProbeError("VmRSS is \(text)") }
        return value
    }
}
