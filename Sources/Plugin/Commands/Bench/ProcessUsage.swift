internal import Configuration
internal import Glibc

/// What a process has used so far, from /proc.
struct ProcessUsage: Equatable {
    /// User and system time of all its threads, to a hundredth of a second.
    let processorTime: Duration
    /// Resident memory, in bytes.
    let residentBytes: Int

    /// Nil when there is no such process.
    static func of(pid: Int) -> ProcessUsage? {
        guard let stat = try? BoundedFile.read("/proc/\(pid)/stat", limit: 65536) else { return nil }
        return parse(
            stat: String(decoding: stat, as: UTF8.self), ticksPerSecond: sysconf(CInt(_SC_CLK_TCK)),
            pageSize: sysconf(CInt(_SC_PAGESIZE)))
    }

    /// proc(5): the name in parentheses may hold anything; from the third field on there are only numbers.
    static func parse(stat: String, ticksPerSecond: Int, pageSize: Int) -> ProcessUsage? {
        guard let parenthesis = stat.lastIndex(of: ")"), ticksPerSecond > 0 else { return nil }
        let fields = stat[parenthesis...].dropFirst().split(separator: " ")
        // Of all fields: 14 utime, 15 stime, 24 rss; two stand before these.
        guard fields.count > 21, let user = Int64(fields[11]), let system = Int64(fields[12]),
            let pages = Int(fields[21])
        else { return nil }
        let ticks = user + system
        let time = Duration.milliseconds(ticks * 1000 / Int64(ticksPerSecond))
        return ProcessUsage(processorTime: time, residentBytes: pages * pageSize)
    }
}
