internal import Crypto
internal import Glibc

/// The process's own memory, as the kernel shows it.
enum Memory {
    /// How often the first half of a key lies in writable memory.
    static func count(_ needle: Needle) throws -> Int {
        let file = open("/proc/self/mem", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw ProbeError("/proc/self/mem: \(errno)") }
        defer { close(file) }
        let size = 1 << 20
        let overlap = Needle.length - 1
        let chunk = UnsafeMutablePointer<UInt8>.allocate(capacity: size)
        defer { chunk.deallocate() }
        var found = 0
        for (start, end) in try writableRanges() {
            var at = start
            while at < end {
                let count = pread(file, chunk, min(size, end - at), off_t(at))
                // Guard pages and the like cannot be read.
                guard count >= Needle.length else { break }
                for offset in 0...count - Needle.length where needle.matches(chunk + offset) { found += 1 }
                SecretBytes.wipe(UnsafeMutableRawBufferPointer(start: chunk, count: count))
                at += at + count >= end ? count : count - overlap
            }
        }
        return found
    }

    private static func writableRanges() throws -> [(Int, Int)] {
        guard let file = fopen("/proc/self/maps", "re") else { throw ProbeError("/proc/self/maps: \(errno)") }
        defer { fclose(file) }
        var ranges: [(Int, Int)] = []
        var line = [CChar](repeating: 0, count: 4096)
        while fgets(&line, CInt(line.count), file) != nil {
            let fields = String(cString: Array(line.prefix { $0 != 0 }) + [0]).split(separator: " ")
            guard fields.count > 1, fields[1].hasPrefix("rw") else { continue }
            let ends = fields[0].split(separator: "-").compactMap { Int($0, radix: 16) }
            if ends.count == 2 { ranges.append((ends[0], ends[1])) }
        }
        return ranges
    }
}
