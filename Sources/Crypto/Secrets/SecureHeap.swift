internal import COpenSSL
internal import Synchronization

/// OpenSSL's secure heap: one locked mapping with guard pages that is left out of core dumps. Every `SecretBytes` lives
/// in it; SoftHSM and curl, which use OpenSSL too, may take parts of it.
public enum SecureHeap {
    /// 262144 bytes.
    public static let defaultSize = 256 * 1024
    /// The smallest piece it hands out, in bytes.
    private static let granule = 32

    private enum State {
        case unused
        case locked
        /// Not locked into memory; `isAllowed` once somebody said that this will do.
        case unlocked(isAllowed: Bool, CryptoError)
        case failed(CryptoError)

        var refusal: CryptoError? {
            switch self {
            case .unused, .locked, .unlocked(isAllowed: true, _): nil
            case .unlocked(isAllowed: false, let error), .failed(let error): error
            }
        }
    }

    private static let state = Mutex(State.unused)

    /// Sets the heap up; later calls only check what the first one reached. The first `SecretBytes` does this by
    /// itself, and then insists on locked memory.
    ///
    /// - Parameters:
    ///   - size: in bytes, a power of two.
    ///   - allowUnlocked: accept a heap that could not be locked into memory, so that secrets may reach swap.
    /// - Throws: `secureHeapUnavailable`.
    public static func initialize(size: Int = defaultSize, allowUnlocked: Bool = false) throws(CryptoError) {
        let refusal = state.withLock { (state: inout State) -> CryptoError? in
            if case .unused = state { state = create(size: size) }
            if allowUnlocked, case .unlocked(_, let error) = state { state = .unlocked(isAllowed: true, error) }
            return state.refusal
        }
        if let refusal { throw refusal }
    }

    private static func create(size: Int) -> State {
        let call = "CRYPTO_secure_malloc_init"
        guard CRYPTO_secure_malloc_initialized() == 0 else {
            // Then nobody knows whether it is locked.
            return .unlocked(
                isAllowed: false,
                CryptoError(.secureHeapUnavailable, call, detail: "a library of this process has set it up before"))
        }
        guard size > granule, size & (size - 1) == 0 else {
            return .failed(CryptoError(.secureHeapUnavailable, call, detail: "its size must be a power of two"))
        }
        switch CRYPTO_secure_malloc_init(size, granule) {
        case 1:
            trousseau_show_secure_heap(size)
            return .locked
        case 2:
            trousseau_show_secure_heap(size)
            return .unlocked(
                isAllowed: false,
                CryptoError(.secureHeapUnavailable, call, detail: "\(size) bytes could not be locked into memory"))
        default: return .failed(CryptoError(.secureHeapUnavailable, call, detail: CryptoError.library(call).detail))
        }
    }

    /// Whether the heap exists and its pages are locked.
    public static var isLocked: Bool {
        state.withLock { if case .locked = $0 { true } else { false } }
    }

    /// How many bytes are handed out, to us or to a library that shares the heap.
    public static var used: Int { CRYPTO_secure_used() }

    /// Memory for a secret; never ordinary memory instead.
    static func allocate(_ count: Int) throws(CryptoError) -> UnsafeMutableRawPointer {
        guard count >= 0 else { throw CryptoError(.invalidLength, "CRYPTO_secure_malloc", detail: "\(count) bytes") }
        try initialize()
        guard let memory = trousseau_secure_malloc(max(count, 1)) else {
            ERR_clear_error()
            throw CryptoError(
                .secureHeapExhausted, "CRYPTO_secure_malloc", detail: "\(count) bytes wanted, \(used) used")
        }
        return memory
    }

    /// Wipes and frees.
    static func free(_ memory: UnsafeMutableRawPointer, count: Int) {
        trousseau_secure_clear_free(memory, max(count, 1))
    }
}
