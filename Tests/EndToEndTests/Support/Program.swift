import Glibc
import TestSupport

/// The program under test.
enum Program {
    /// The executable that was built with these tests, or the one that TROUSSEAU_TEST_PROGRAM names (a release build).
    static var path: String {
        get throws {
            if let named = getenv("TROUSSEAU_TEST_PROGRAM") { return String(cString: named) }
            return try Files.executableDirectory() + "/trousseau"
        }
    }
}
