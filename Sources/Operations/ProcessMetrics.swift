internal import Glibc

/// What Prometheus' client libraries show of a process, under the same names.
public struct ProcessMetrics: Sendable {
    /// Seconds since 1970. Taken once: a clock that is set does not change when the process started.
    private let startTime: Double

    /// Of this process.
    public init() {
        var (now, sinceBoot) = (timespec(), timespec())
        clock_gettime(CLOCK_REALTIME, &now)
        clock_gettime(CLOCK_BOOTTIME, &sinceBoot)
        let seconds = { (time: timespec) in Double(time.tv_sec) + Double(time.tv_nsec) / 1e9 }
        // proc(5): the name, in parentheses, may hold anything; starttime is the 20th field after it.
        let fields = ProcessMetrics.read("/proc/self/stat").split(separator: ")").last?.split(separator: " ") ?? []
        let ticks = fields.count > 19 ? Double(fields[19]) : nil
        let age = ticks.map { seconds(sinceBoot) - $0 / Double(sysconf(Int32(_SC_CLK_TCK))) } ?? 0
        startTime = ((seconds(now) - age) * 100).rounded() / 100
    }

    /// Writes them; reads a few files of /proc.
    public func write(to exposition: inout Exposition) {
        exposition.write(
            .gauge, "process_start_time_seconds", "Start of the process, in seconds since 1970.",
            [.init([:], startTime)])
        var usage = rusage()
        if getrusage(RUSAGE_SELF, &usage) == 0 {
            let seconds = { (time: timeval) in Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
            exposition.write(
                .counter, "process_cpu_seconds_total", "User and system CPU time spent.",
                [.init([:], seconds(usage.ru_utime) + seconds(usage.ru_stime))])
        }
        let pages = ProcessMetrics.read("/proc/self/statm").split(separator: " ").dropFirst().first.flatMap { Int($0) }
        if let pages {
            exposition.write(
                .gauge, "process_resident_memory_bytes", "Resident memory.",
                [.init([:], pages * sysconf(Int32(_SC_PAGESIZE)))])
        }
        if let count = ProcessMetrics.openDescriptors {
            exposition.write(.gauge, "process_open_fds", "Open file descriptors.", [.init([:], count)])
        }
        var limit = rlimit()
        if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
            exposition.write(
                .gauge, "process_max_fds", "Limit of open file descriptors.", [.init([:], UInt64(limit.rlim_cur))])
        }
    }

    private static var openDescriptors: Int? {
        guard let folder = opendir("/proc/self/fd") else { return nil }
        defer { closedir(folder) }
        // Neither `.` and `..` nor the folder's own descriptor.
        var count = -3
        while readdir(folder) != nil { count += 1 }
        return count
    }

    /// At most 4 kB of a file of /proc, which gives that much at once.
    private static func read(_ path: String) -> String {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return "" }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = Glibc.read(file, &bytes, bytes.count)
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }
}
