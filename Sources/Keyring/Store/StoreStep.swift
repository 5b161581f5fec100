/// One step of a change to the store that has just been done. Tests end the process after each of them.
package enum StoreStep: Sendable, Equatable {
    /// The temporary file exists and is empty.
    case created(String)
    /// It is complete, but perhaps not on the disk.
    case written(String)
    /// It is on the disk.
    case synchronized(String)
    /// It has replaced the file.
    case renamed(String)
    /// The file is gone.
    case removed(String)
    /// A directory was made.
    case directoryMade(String)
    /// The directory's entries are on the disk.
    case directorySynchronized(String)
}

package typealias StoreObserver = @Sendable (StoreStep) -> Void
