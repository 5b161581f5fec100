internal import Synchronization

/// The keyring at rest: one directory, one file a record, and who is active (docs/formats.md, "Files").
///
/// One process writes it at a time; others may read, and see each file as it was or as it is. Nothing is ever written in
/// place, and files that do not parse are never touched.
public final class KeyringStore: Sendable {
    /// The directory.
    public let path: String
    /// Whether it was opened for reading only.
    public let isReadOnly: Bool

    let directory: StoreDirectory
    /// Held as long as the store lives; nil when it is only read.
    private let lock: FileLock?
    /// One change at a time.
    private let changing = Mutex(())

    private static let lockName = "lock"

    private init(_ directory: StoreDirectory, lock: consuming FileLock?) {
        self.directory = directory
        path = directory.path
        isReadOnly = lock == nil
        self.lock = lock
    }

    /// Opens a keyring.
    ///
    /// - Parameters:
    ///   - path: the directory.
    ///   - readOnly: takes no lock and changes nothing. Otherwise the lock is held as long as the store lives, and what
    ///     a crash has left of temporary files is removed.
    /// - Throws: `missing`, `insecure`, `locked`, `interrupted`, and what the operating system refuses.
    public static func open(_ path: String, readOnly: Bool) throws(StoreError) -> KeyringStore {
        try open(path, readOnly: readOnly, observer: { _ in })
    }

    package static func open(
        _ path: String, readOnly: Bool, observer: @escaping StoreObserver
    ) throws(StoreError) -> KeyringStore {
        let directory: StoreDirectory
        do throws(StoreError) {
            directory = try StoreDirectory.open(path, forWriting: !readOnly, observer: observer)
        } catch {
            guard error.code == .missing else { throw error }
            throw StoreError(.missing, path, "there is no keyring", hint: "run trousseau init")
        }
        let lock = readOnly ? nil : try directory.lock(lockName)
        guard try !directory.contains(MarkerFile.name) else {
            throw StoreError(
                .interrupted, path, "trousseau init or recover did not come to its end here",
                hint: "run the same command again")
        }
        if !readOnly {
            try directory.removeTemporaryFiles()
            try directory.subdirectory(LocalSealFile.directory, forWriting: true)?.removeTemporaryFiles()
        }
        return KeyringStore(directory, lock: lock)
    }

    /// Begins a new keyring: makes the directory, with parents, and marks it as unfinished. Until `finishCreation` it
    /// cannot be opened. What an interrupted `init` has left is removed first: it was never used.
    ///
    /// - Throws: `exists` when the directory holds anything of a keyring; `insecure`, `locked`, and what the operating
    ///   system refuses.
    public static func create(_ path: String, keyring: KeyringIdentity) throws(StoreError) -> KeyringStore {
        try create(path, keyring: keyring, observer: { _ in })
    }

    package static func create(
        _ path: String, keyring: KeyringIdentity, observer: @escaping StoreObserver
    ) throws(StoreError) -> KeyringStore {
        try StoreDirectory.makeDirectories(path, observer: observer)
        let directory = try StoreDirectory.open(path, forWriting: true, observer: observer)
        let store = KeyringStore(directory, lock: try directory.lock(lockName))
        try directory.removeTemporaryFiles()
        try store.removeInterruptedInit()
        try directory.write(MarkerFile.name, MarkerFile.encode(keyring.keyringID))
        try directory.makeDirectory(LocalSealFile.directory)
        return store
    }

    /// Ends what `create` began, once the keyring is complete.
    ///
    /// - Throws: what `load` and `StoredKeyring.requireActive` throw, and what the operating system refuses.
    public func finishCreation() throws(StoreError) {
        _ = try load().requireActive()
        try change { (directory) throws(StoreError) in try directory.remove(MarkerFile.name) }
    }

    /// Does one change to the directory, after those before it.
    ///
    /// - Throws: `readOnly`, and what `body` throws.
    func change(_ body: (StoreDirectory) throws(StoreError) -> Void) throws(StoreError) {
        guard !isReadOnly else {
            throw StoreError(.readOnly, path, "opened for reading only", hint: "stop the process that writes it first")
        }
        try changing.withLock { (_) throws(StoreError) in try body(directory) }
    }
}
