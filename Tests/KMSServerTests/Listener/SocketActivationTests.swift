import CLinux
import Glibc
import Keyring
import TestSupport
import Testing

@testable import KMSServer

/// Sockets from systemd. Descriptors and environment are the process's, so each test has one of its own.
@Suite struct SocketActivationTests {
    /// Swift's own libraries have the numbers from 3 on by the time that a test runs.
    static let first: Int32 = 100

    /// Plays systemd in this process: `descriptors` become 100, 101, …
    static func hand(_ descriptors: [Int32], names: String?, pid: pid_t = getpid()) {
        for (index, descriptor) in descriptors.enumerated() {
            dup2(descriptor, first + Int32(index))
            close(descriptor)
        }
        setenv("LISTEN_PID", "\(pid)", 1)
        setenv("LISTEN_FDS", "\(descriptors.count)", 1)
        if let names { setenv("LISTEN_FDNAMES", names, 1) }
    }

    /// The numbers of the descriptors that were taken, and closed again.
    static func take() throws -> (kms: Int32?, control: Int32?) {
        var sockets = try SocketActivation.take(from: SocketActivationTests.first)
        return (raw(sockets.kms.take()), raw(sockets.control.take()))
    }

    private static func raw(_ descriptor: consuming Descriptor?) -> Int32? {
        if let descriptor { descriptor.raw } else { nil }
    }

    @Test func bothSocketsAreTaken() async {
        await #expect(processExitsWith: .success) {
            try await TestScope.with { scope in
                let (kms, control) = (scope.path("k"), scope.path("c"))
                // In the other order, so that the names count.
                let descriptors = [try UnixConnection.listen(at: control), try UnixConnection.listen(at: kms)]
                SocketActivationTests.hand(descriptors, names: "control:kms")
                var configuration = ServerConfiguration(
                    socket: SocketConfiguration(path: "/nowhere/k", allowUsers: [geteuid()]),
                    control: SocketConfiguration(path: "/nowhere/c", allowUsers: [geteuid()]), runtimeVersion: "1")
                configuration.firstActivatedDescriptor = SocketActivationTests.first
                let server = Server(
                    configuration, service: try FakeKeyService(), control: FakeControl(), log: .none)
                try server.start()
                try require(try await TestClient(kms).call(Request.status).code == .ok)
                try require(try await TestClient(control).call(Request.controlStatus).code == .ok)
                for name in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] { try require(getenv(name) == nil) }
                for descriptor in Int32(100)...101 { try require(fcntl(descriptor, F_GETFD) & FD_CLOEXEC != 0) }
                try require(server.stop(until: .now + .seconds(20)))
                // systemd's to remove.
                try require(Files.exists(kms) && Files.exists(control))
            }
        }
    }

    @Test func aSingleOneIsForKMS() async {
        await #expect(processExitsWith: .success) {
            try await TestScope.with { scope in
                SocketActivationTests.hand([try UnixConnection.listen(at: scope.path("k"))], names: "trousseau.socket")
                let taken = try SocketActivationTests.take()
                try require(taken.kms == 100 && taken.control == nil)
            }
        }
    }

    @Test func anotherProcessesSocketsAreNotTouched() async {
        await #expect(processExitsWith: .success) {
            try await TestScope.with { scope in
                SocketActivationTests.hand([try UnixConnection.listen(at: scope.path("k"))], names: nil, pid: 1)
                let taken = try SocketActivationTests.take()
                try require(taken.kms == nil && taken.control == nil)
                try require(fcntl(100, F_GETFD) >= 0 && getenv("LISTEN_FDS") == nil)
            }
        }
    }

    @Test func onlyListeningUnixSocketsWillDo() async {
        await #expect(processExitsWith: .success) {
            var pair: [Int32] = [0, 0]
            socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair)
            let tcp = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            listen(tcp, 1)
            let file = open("/dev/null", O_RDONLY)
            for descriptor in [pair[0], tcp, file] {
                let copy = fcntl(descriptor, F_DUPFD, 200)
                SocketActivationTests.hand([copy], names: "kms")
                do {
                    _ = try SocketActivation.take(from: SocketActivationTests.first)
                    throw TestError("descriptor \(descriptor) was taken")
                } catch let error as ServerError {
                    try require(error.code == .activation)
                }
            }
        }
    }

    @Test func namesWithoutUseAreRefused() async {
        await #expect(processExitsWith: .success) {
            try await TestScope.with { scope in
                for (index, names) in ["kms:kms", "kms:metrics", "control:"].enumerated() {
                    let descriptors = [
                        try UnixConnection.listen(at: scope.path("a\(index)")),
                        try UnixConnection.listen(at: scope.path("b\(index)")),
                    ]
                    SocketActivationTests.hand(descriptors, names: names)
                    do {
                        _ = try SocketActivation.take(from: SocketActivationTests.first)
                        throw TestError("\(names) was taken")
                    } catch let error as ServerError {
                        try require(error.code == .activation)
                    }
                }
            }
        }
    }
}

/// What `#expect` is to a test, in a process of its own, whose end is all that is seen of it.
private func require(_ condition: Bool, line: Int = #line) throws {
    guard condition else { throw TestError("line \(line)") }
}
