internal import COpenSSL

/// A secret, from birth to wipe: locked memory, no description, no copies.
///
/// It cannot be copied, stored in an `Array` or `Any`, or printed: the compiler refuses. The bytes are seen only inside
/// `withUnsafeBytes`; what a closure copies out of there is on the closure's conscience.
public struct SecretBytes: ~Copyable, @unchecked Sendable {
    // Sendable: the memory is owned by exactly one value and not written after initialisation.
    private let memory: UnsafeMutableRawPointer
    private let capacity: Int
    /// The size of the secret in bytes.
    public let count: Int

    /// Room for `capacity` bytes, filled by `body`, which returns how many it wrote.
    ///
    /// - Throws: `secureHeapExhausted`, `secureHeapUnavailable` or `invalidLength` as `CryptoError`, or what `body`
    ///   throws; the memory is wiped in any case.
    public init(
        capacity: Int, filledBy body: (UnsafeMutableRawBufferPointer) throws -> Int
    ) throws {
        let memory = try SecureHeap.allocate(capacity)
        do {
            let count = try body(UnsafeMutableRawBufferPointer(start: memory, count: capacity))
            guard 0...capacity ~= count else { throw CryptoError(.invalidLength, "SecretBytes") }
            self.memory = memory
            self.capacity = capacity
            self.count = count
        } catch {
            SecureHeap.free(memory, count: capacity)
            throw error
        }
    }

    /// `count` bytes written by `body`.
    ///
    /// - Throws: `secureHeapExhausted`, `secureHeapUnavailable`, or what `body` throws.
    public init(
        count: Int, filledBy body: (UnsafeMutableRawBufferPointer) throws(CryptoError) -> Void
    ) throws(CryptoError) {
        let memory = try SecureHeap.allocate(count)
        do throws(CryptoError) {
            try body(UnsafeMutableRawBufferPointer(start: memory, count: count))
        } catch {
            SecureHeap.free(memory, count: count)
            throw error
        }
        self.memory = memory
        self.capacity = count
        self.count = count
    }

    /// A copy of `bytes`; wiping the original is up to its owner (`SecretBytes.wipe`).
    public init(copying bytes: UnsafeRawBufferPointer) throws(CryptoError) {
        try self.init(count: bytes.count) { (memory) throws(CryptoError) in memory.copyMemory(from: bytes) }
    }

    /// `count` bytes from the DRBG.
    public init(randomCount count: Int) throws(CryptoError) {
        try self.init(count: count) { (memory) throws(CryptoError) in try Random.fillPrivate(memory) }
    }

    deinit {
        SecureHeap.free(memory, count: capacity)
    }

    /// Shows the bytes to `body`, and to nobody else.
    public borrowing func withUnsafeBytes<Result: ~Copyable, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(UnsafeRawBufferPointer(start: memory, count: count))
    }

    /// Compares in constant time; only a difference in length is told early.
    public borrowing func isEqual(to other: borrowing SecretBytes) -> Bool {
        count == other.count && CRYPTO_memcmp(memory, other.memory, count) == 0
    }

    /// Overwrites memory that held a secret, in a way that the optimiser keeps.
    public static func wipe(_ memory: UnsafeMutableRawBufferPointer) {
        OPENSSL_cleanse(memory.baseAddress, memory.count)
    }
}

/// Comparisons whose time does not depend on where two values differ.
public enum ConstantTime {
    /// Whether two byte strings are equal; only a difference in length is told early.
    public static func equal(_ a: [UInt8], _ b: [UInt8]) -> Bool {
        a.count == b.count && CRYPTO_memcmp(a, b, a.count) == 0
    }
}
