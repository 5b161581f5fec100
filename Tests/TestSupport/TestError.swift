/// Why a test's surroundings failed: a component that is missing, a process that did not answer in time.
///
/// The text carries whatever the process wrote, so that a red test explains itself.
public struct TestError: Error, CustomStringConvertible {
    /// What failed and why.
    public let description: String

    /// An error with this text.
    public init(_ description: String) {
        self.description = description
    }
}

extension TestError {
    /// A failed system call, with errno's text.
    static func systemCall(_ name: String, _ subject: String, _ code: Int32) -> TestError {
        TestError("\(name) \(subject): \(errorText(code))")
    }
}
