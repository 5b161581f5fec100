internal import CLinux
internal import Crypto
internal import Glibc

/// Hardens the process and says what came of it.
///
/// - `--lock-limit BYTES`: lowers RLIMIT_MEMLOCK first.
/// - `--unprivileged`: becomes an ordinary user first, which takes all capabilities away.
/// - `--allow-unlocked`: as the configuration's `allowUnlockedMemory`.
enum Hardening {
    static func run(_ options: [String]) throws {
        var allowUnlocked = false
        var options = options[...]
        while let option = options.popFirst() {
            switch option {
            case "--allow-unlocked": allowUnlocked = true
            case "--lock-limit":
                guard let bytes = options.popFirst().flatMap(rlim_t.init) else { throw ProbeError("--lock-limit") }
                var limit = rlimit(rlim_cur: bytes, rlim_max: bytes)
                guard setrlimit(__RLIMIT_MEMLOCK, &limit) == 0 else { throw ProbeError("setrlimit: \(errno)") }
            case "--unprivileged":
                guard getuid() != 0 || setresuid(65534, 65534, 65534) == 0 else { throw ProbeError("setresuid") }
            default: throw ProbeError("unknown option \(option)")
            }
        }
        do {
            let report = try ProcessHardening.apply(allowUnlockedMemory: allowUnlocked)
            say("result", "hardened")
            say("memoryLocked", "\(report.memoryLocked)")
            say("heapLocked", "\(report.heapLocked)")
            for warning in report.warnings { say("warning", warning) }
        } catch {
            say("result", "refused")
            say("message", error.message)
            say("hint", error.hint ?? "")
        }
        say("dumpable", "\(trousseau_is_dumpable())")
        var limit = rlimit()
        guard getrlimit(RLIMIT_CORE, &limit) == 0 else { throw ProbeError("getrlimit: \(errno)") }
        say("coreLimit", "\(limit.rlim_cur) \(limit.rlim_max)")
        guard getrlimit(__RLIMIT_MEMLOCK, &limit) == 0 else { throw ProbeError("getrlimit: \(errno)") }
        say("lockLimit", "\(limit.rlim_cur == rlim_t.max ? "unlimited" : "\(limit.rlim_cur)")")
        say("capabilities", try status("CapEff"))
        // MCL_FUTURE must not make this fail.
        try touch()
        say("locked", try status("VmLck"))
        say("brokenPipe", try brokenPipe())
    }

    /// Maps 64 MiB, and touches one page of it.
    private static func touch() throws {
        let size = 64 << 20
        let memory = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let memory, memory != MAP_FAILED else { throw ProbeError("mmap: \(errno)") }
        memory.storeBytes(of: 1, as: UInt8.self)
        munmap(memory, size)
    }

    /// Writes into a pipe that nobody reads.
    private static func brokenPipe() throws -> String {
        var ends: [CInt] = [-1, -1]
        guard pipe(&ends) == 0 else { throw ProbeError("pipe: \(errno)") }
        close(ends[0])
        defer { close(ends[1]) }
        return write(ends[1], "x", 1) < 0 && errno == EPIPE ? "EPIPE" : "written"
    }
}
