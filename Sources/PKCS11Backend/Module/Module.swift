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
    // other functions under its read lock.
    let path: String
    private let functions: UnsafeMutablePointer<CK_FUNCTION_LIST>
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
    }

    deinit {
        // A module that was not finalized stays loaded: some call may still run in it.
        if !initialized.withLock({ $0 }) { p11_kit_module_release(functions) }
    }

    var isInitialized: Bool { initialized.withLock { $0 } }

    func initialize() throws(PKCS11Error) {
        let code = ReturnCode(p11_kit_module_initialize(functions))
        guard code == .ok || code == ReturnCode(CKRValue.alreadyInitialized) else {
            throw PKCS11Error(call: "C_Initialize", code, level: .module)
        }
        initialized.withLock { $0 = true }
        Module.users.withLock { $0[path, default: 0] += 1 }
    }

    /// Only when no thread is in a call: otherwise the library crashes.
    ///
    /// - Parameter isLost: the library is in disorder. p11-kit 0.24 ignores a C_Finalize that fails, takes the library
    ///   for one that somebody else had initialized, and never finalizes it again; it is asked once more then.
    func finalize(isLost: Bool = false) {
        guard isInitialized else { return }
        _ = p11_kit_module_finalize(functions)
        initialized.withLock { $0 = false }
        let others = Module.users.withLock { users in
            users[path, default: 1] -= 1
            return users[path] ?? 0
        }
        if isLost && others == 0 { Module.finalizeDirectly(path) }
    }

    /// How many instances have a library initialized, by its path: p11-kit counts them, too, and finalizes with the last.
    private static let users = Mutex<[String: Int]>([:])

    /// C_Finalize of the library itself; CKR_CRYPTOKI_NOT_INITIALIZED is what it should say.
    private static func finalizeDirectly(_ path: String) {
        guard let library = dlopen(path, RTLD_NOW | RTLD_NOLOAD) else { return }
        defer { dlclose(library) }
        guard let symbol = dlsym(library, "C_GetFunctionList") else { return }
        typealias GetFunctionList =
            @convention(c) (UnsafeMutablePointer<UnsafeMutablePointer<CK_FUNCTION_LIST>?>) -> CK_RV
        let getFunctionList = unsafeBitCast(symbol, to: GetFunctionList.self)
        var functions: UnsafeMutablePointer<CK_FUNCTION_LIST>?
        guard getFunctionList(&functions) == CK_RV(CKR_OK), let functions else { return }
        _ = functions.pointee.C_Finalize?(nil)
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
