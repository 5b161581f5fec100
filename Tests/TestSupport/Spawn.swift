internal import CLinux
internal import Glibc

/// posix_spawn with pipes, a process group and a process handle.
enum Spawn {
    struct Spawned: Sendable {
        let pid: Int32
        /// The parent's non-blocking end of the process's standard output.
        let output: Int32
        let errors: Int32
        /// A pidfd: readable once the process has ended.
        let handle: Int32
    }

    static func start(
        _ executable: String, _ arguments: [String], environment: [String: String], directory: String?,
        input: [UInt8], descriptors: [Int32]
    ) throws(TestError) -> Spawned {
        let stdin = try pipe()
        let stdout = try pipe()
        let stderr = try pipe()
        var parents = [stdout.read, stderr.read]
        defer { for file in [stdin.read, stdin.write, stdout.write, stderr.write] + parents { close(file) } }
        try feed(input, to: stdin.write)

        // Passed descriptors are first copied above those that they could overwrite.
        var high: [Int32] = []
        defer { for file in high { close(file) } }
        for file in descriptors {
            let copy = fcntl(file, F_DUPFD_CLOEXEC, 3 + Int32(descriptors.count))
            guard copy >= 0 else { throw .systemCall("fcntl", "F_DUPFD_CLOEXEC", errno) }
            high.append(copy)
        }

        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        let standard = [stdin.read, stdout.write, stderr.write]
        for (target, file) in standard.enumerated() {
            posix_spawn_file_actions_adddup2(&actions, file, Int32(target))
        }
        for (index, file) in high.enumerated() {
            posix_spawn_file_actions_adddup2(&actions, file, 3 + Int32(index))
        }
        posix_spawn_file_actions_addclosefrom_np(&actions, 3 + Int32(descriptors.count))
        if let directory { posix_spawn_file_actions_addchdir_np(&actions, directory) }

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

        var pid: pid_t = 0
        let code = withCStrings([executable] + arguments) { argv in
            withCStrings(merged(environment)) { envp in
                posix_spawnp(&pid, executable, &actions, &attributes, argv, envp)
            }
        }
        guard code == 0 else { throw .systemCall("start", executable, code) }
        let handle = pidfd_open(pid, 0)
        guard handle >= 0 else {
            let code = errno
            kill(pid, SIGKILL)
            waitpid(pid, nil, 0)
            throw .systemCall("pidfd_open", executable, code)
        }
        for file in parents { _ = fcntl(file, F_SETFL, O_NONBLOCK) }
        parents = []
        return Spawned(pid: pid, output: stdout.read, errors: stderr.read, handle: handle)
    }

    private static func pipe() throws(TestError) -> (read: Int32, write: Int32) {
        var ends: [Int32] = [-1, -1]
        guard pipe2(&ends, O_CLOEXEC) == 0 else { throw .systemCall("pipe", "", errno) }
        return (ends[0], ends[1])
    }

    private static func feed(_ input: [UInt8], to file: Int32) throws(TestError) {
        _ = fcntl(file, F_SETFL, O_NONBLOCK)
        guard input.isEmpty || write(file, input, input.count) == input.count else {
            throw TestError("\(input.count) bytes of input do not fit into a pipe")
        }
    }

    private static func merged(_ changes: [String: String]) -> [String] {
        var variables: [String: String] = [:]
        var next = Glibc.environ
        while let entry = next.pointee {
            let text = String(cString: entry)
            if let equals = text.firstIndex(of: "=") {
                variables[String(text[..<equals])] = String(text[text.index(after: equals)...])
            }
            next += 1
        }
        variables.merge(changes) { $1 }
        return variables.map { "\($0.key)=\($0.value)" }.sorted()
    }

    private static func withCStrings<R>(
        _ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> R
    ) -> R {
        let copies = strings.map { strdup($0) }
        defer { for copy in copies { free(copy) } }
        return body(copies + [nil])
    }
}
