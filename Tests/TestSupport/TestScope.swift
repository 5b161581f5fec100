internal import Glibc
internal import Synchronization

/// What one test owns: a short temporary folder, and the processes it starts. When the scope ends, what still runs is
/// killed, then the folder is removed.
public final class TestScope: Sendable {
    /// An absolute path of about 14 bytes.
    public let directory: String
    private let processes = Mutex<[ChildProcess]>([])

    private init(_ directory: String) {
        self.directory = directory
    }

    /// Runs `body` with a new scope.
    public nonisolated(nonsending) static func with<R>(_ body: (TestScope) async throws -> R) async throws -> R {
        try await TemporaryDirectory.with { directory in
            let scope = TestScope(directory)
            do {
                let result = try await body(scope)
                await scope.end()
                return result
            } catch {
                await scope.end()
                throw error
            }
        }
    }

    /// A path in the folder.
    public func path(_ name: String) -> String { directory + "/" + name }

    /// Starts a process that ends with the scope at the latest; see `ChildProcess.init`.
    public func start(
        _ executable: String, _ arguments: [String] = [], environment: [String: String] = [:],
        directory: String? = nil, input: [UInt8] = [], descriptors: [Int32] = []
    ) throws(TestError) -> ChildProcess {
        let process = try ChildProcess(
            executable, arguments, environment: environment, directory: directory, input: input,
            descriptors: descriptors)
        processes.withLock { $0.append(process) }
        return process
    }

    /// Everything that the scope's processes have written, for a search for secrets.
    public var allOutput: String {
        processes.withLock { $0 }.map { $0.output + $0.errors }.joined()
    }

    private func end() async {
        for process in processes.withLock({ $0 }) { await process.destroy() }
    }
}
