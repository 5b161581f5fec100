internal import CP11Kit
internal import Glibc
internal import Keyring
internal import Synchronization

/// A PKCS#11 library, loaded by p11-kit in managed mode.
///
/// Unmanaged modules get C_Initialize(NULL) from p11-kit 0.24, which promises the library that it is used by one thread
/// only; threads crash then. Managed mode passes locking functions and counts users of the same library.
final class Module: @unchecked Sendable {
    // Sendable: the pointer never changes; `initialize` and `finalize` are called under the token's write lock, all
    // other functions under its read lock, and each of them while the library is not made anew.
    let path: String
    private let functions: UnsafeMutablePointer<CK_FUNCTION_LIST>
    private let library: Library
    private let initialized = Mutex(false)

    /// Loads the library; initialises nothing.
    init(path: String) throws(PKCS11Error) {
        var entry = stat()
        guard stat(path, &entry) == 0, entry.st_mode & S_IFMT == S_IFREG else {
            throw PKCS11Error(
                .notFound, "module \(path) is not there", hint: "install the HSM's library or correct its path",
                level: .module)
        }
        guard let functions = p11_kit_module_load(path, 0) else {
            let why = p11_kit_message().map { String(cString: $0) } ?? "refused"
            throw PKCS11Error(
                .notFound, "p11_kit_module_load \(path): \(why)",
                hint: "is it a PKCS#11 library for this machine, with all it depends on?", level: .module)
        }
        self.path = path
        self.functions = functions
        library = Library.at(path)
    }

    deinit {
        // A module that was not finalized stays loaded: some call may still run in it.
        if !initialized.withLock({ $0 }) { p11_kit_module_release(functions) }
    }

    /// No longer, once the library was made anew for another token: all sessions and handles are gone then.
    var isInitialized: Bool { initialized.withLock { $0 } }

    /// - Parameter obstacle: why the token could not log in again by itself, if so.
    func initialize(obstacle: @escaping @Sendable () -> String?) throws(PKCS11Error) {
        try library.calling { () throws(PKCS11Error) in try take(obstacle) }
    }

    /// As `initialize`, but the library reads its slots again, whoever else uses it.
    ///
    /// - Returns: why it was initialized as it is, after all.
    func renew(obstacle: @escaping @Sendable () -> String?) throws(PKCS11Error) -> String? {
        guard let refusal = try library.renew(for: self, obstacle: obstacle) else { return nil }
        try initialize(obstacle: obstacle)
        return refusal
    }

    /// Only when no thread is in a call: otherwise the library crashes.
    ///
    /// - Parameter isLost: the library is in disorder.
    func finalize(isLost: Bool = false) {
        guard (try? library.calling({ () throws(PKCS11Error) in give() })) ?? false, isLost else { return }
        library.clear()
    }

    /// Runs `body`, which may call the library, unless that was made anew for another token.
    ///
    /// - Returns: nil when it was.
    func calling<R>(_ body: () throws(PKCS11Error) -> R) throws(PKCS11Error) -> R? {
        try library.calling { () throws(PKCS11Error) in
            guard isInitialized else { return nil }
            return try body()
        }
    }

    /// C_Initialize, by p11-kit; by whoever holds the library's lock.
    func take(_ obstacle: @escaping @Sendable () -> String?) throws(PKCS11Error) {
        let code = ReturnCode(p11_kit_module_initialize(functions))
        guard code == .ok || code == ReturnCode(CKRValue.alreadyInitialized) else {
            throw PKCS11Error(call: "C_Initialize", code, level: .module)
        }
        initialized.withLock { $0 = true }
        library.joined(self, obstacle: obstacle)
    }

    /// C_Finalize, by p11-kit: the last user's reaches the library. By whoever holds the library's lock.
    ///
    /// - Returns: whether it was initialized.
    @discardableResult
    func give() -> Bool {
        guard isInitialized else { return false }
        _ = p11_kit_module_finalize(functions)
        initialized.withLock { $0 = false }
        library.left(self)
        return true
    }

    /// Calls one function; `body` gets the function list and returns nil when the function is missing there.
    func code(_ body: (UnsafeMutablePointer<CK_FUNCTION_LIST>) -> CK_RV?) -> ReturnCode {
        ReturnCode(body(functions) ?? CKRValue.functionNotSupported)
    }

    /// Calls one function and throws what it returns, unless that is CKR_OK.
    func call(
        _ name: String, _ body: (UnsafeMutablePointer<CK_FUNCTION_LIST>) -> CK_RV?
    ) throws(PKCS11Error) {
        let code = code(body)
        guard code == .ok else { throw PKCS11Error(call: name, code) }
    }
}
