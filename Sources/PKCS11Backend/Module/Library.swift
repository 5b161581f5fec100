internal import CP11Kit
internal import Glibc
internal import Synchronization

/// A PKCS#11 library and its users in this process: one `Module` for each backend that names its file.
///
/// p11-kit counts them, and only the last one's C_Finalize reaches the library. So a token that was lost may stay lost as
/// long as another one is in use: SoftHSM 2.6, for one, looks for tokens at C_Initialize only. `renew` makes the library
/// anew under all of its users.
final class Library: Sendable {
    /// One that has the library initialized, and why it could not log in again, if so.
    private struct User {
        let module: Module
        let obstacle: @Sendable () -> String?
    }

    /// How long `renew` waits for calls in flight: less than any sensible deadline of those that wait behind it.
    private static let patience = 1000

    private let path: String
    /// Held for reading by every call into the library. No thread holds it twice; a token's own lock is taken before it.
    private let lock = ReadWriteLock(prefersWriters: true)
    private let users = Mutex<[User]>([])

    private static let known = Mutex<[String: Library]>([:])

    /// The library in a file; the same one for all names of the file.
    static func at(_ path: String) -> Library {
        var name = path
        if let resolved = realpath(path, nil) {
            name = String(cString: resolved)
            free(resolved)
        }
        return known.withLock { known in
            if let library = known[name] { return library }
            let library = Library(path: path)
            known[name] = library
            return library
        }
    }

    private init(path: String) {
        self.path = path
    }

    /// Runs `body`, which may call the library, while nobody makes it anew.
    func calling<R>(_ body: () throws(PKCS11Error) -> R) throws(PKCS11Error) -> R { try lock.reading(body) }

    /// A module has it initialized. `obstacle` is asked, by any thread, before it is taken from the module.
    func joined(_ module: Module, obstacle: @escaping @Sendable () -> String?) {
        users.withLock { $0.append(User(module: module, obstacle: obstacle)) }
    }

    func left(_ module: Module) {
        users.withLock { users in users.removeAll { $0.module === module } }
    }

    /// Finalizes the library for all of its users and initializes it for this module alone, which must not have it
    /// initialized. The others see that they have lost it, and come back with their next calls.
    ///
    /// - Returns: why it was left alone: a call does not return, or a user could not log in again by itself.
    func renew(for module: Module, obstacle: @escaping @Sendable () -> String?) throws(PKCS11Error) -> String? {
        let refusal = try lock.writing(within: Library.patience) { () throws(PKCS11Error) -> String? in
            let others = users.withLock { $0 }
            for other in others {
                if let reason = other.obstacle() { return reason }
            }
            for other in others { other.module.give() }
            finalizeDirectly()
            try module.take(obstacle)
            return nil
        }
        return refusal ?? "another call to the module does not return"
    }

    /// The library is in disorder, and its last user has given it up.
    func clear() {
        _ = try? lock.writing(within: 0) { () throws(PKCS11Error) in
            if users.withLock({ $0.isEmpty }) { finalizeDirectly() }
        }
    }

    /// C_Finalize of the library itself; CKR_CRYPTOKI_NOT_INITIALIZED is what it should say. p11-kit 0.24 ignores a
    /// C_Finalize that fails, takes the library for one that somebody else had initialized, and never finalizes it again.
    private func finalizeDirectly() {
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
}
