internal import Glibc

/// A lock by flock(2), given back with its owner.
struct FileLock: ~Copyable, Sendable {
    private let descriptor: Descriptor

    /// Takes the descriptor of a locked file over.
    init(_ descriptor: consuming Descriptor) { self.descriptor = descriptor }

    /// Closing alone would not do: the lock is the open file's, and a child process that is between fork and exec has it
    /// open, too.
    deinit { flock(descriptor.raw, LOCK_UN) }
}
