/// Writable memory on the secure heap for intermediate secrets; wiped when it goes.
struct SecretScratch: ~Copyable, @unchecked Sendable {
    // Sendable: owned by exactly one value, which is only reached through its owner's lock.
    let bytes: UnsafeMutableRawBufferPointer

    init(count: Int) throws(CryptoError) {
        let memory = try SecureHeap.allocate(count)
        bytes = UnsafeMutableRawBufferPointer(start: memory, count: count)
        bytes.initializeMemory(as: UInt8.self, repeating: 0)
    }

    deinit {
        guard let memory = bytes.baseAddress else { return }
        SecureHeap.free(memory, count: bytes.count)
    }
}
