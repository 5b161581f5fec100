import Glibc
import TestSupport

/// The memory of another process, as the kernel shows it to root.
struct ProcessMemory {
    let pid: Int32

    /// How often a text stands in memory that the process can write to.
    func count(_ text: String) throws -> Int {
        let needle = Array(text.utf8)
        let file = open("/proc/\(pid)/mem", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw TestError("/proc/\(pid)/mem cannot be opened: run as root") }
        defer { close(file) }
        var found = 0
        for line in try Files.readText("/proc/\(pid)/maps").split(separator: "\n") {
            let fields = line.split(separator: " ", maxSplits: 5)
            let range = fields[0].split(separator: "-").compactMap { UInt64($0, radix: 16) }
            guard range.count == 2, fields[1].hasPrefix("rw"), !line.contains("[vvar") else { continue }
            found += try count(needle, range[0]..<range[1], file)
        }
        return found
    }

    private func count(_ needle: [UInt8], _ range: Range<UInt64>, _ file: Int32) throws -> Int {
        let size = 1 << 20
        var buffer = [UInt8](repeating: 0, count: size + needle.count - 1)
        var found = 0
        var address = range.lowerBound
        while address < range.upperBound {
            // Pieces overlap, so that nothing is lost between two of them.
            let wanted = min(buffer.count, Int(range.upperBound - address))
            let got = pread(file, &buffer, wanted, off_t(bitPattern: address))
            if got >= needle.count {
                found += buffer.withUnsafeBytes { memory in
                    occurrences(of: needle, in: UnsafeRawBufferPointer(rebasing: memory[..<got]))
                }
            }
            address += UInt64(size)
        }
        return found
    }

    private func occurrences(of needle: [UInt8], in memory: UnsafeRawBufferPointer) -> Int {
        var rest = memory
        var found = 0
        while let start = rest.baseAddress, let place = memmem(start, rest.count, needle, needle.count) {
            found += 1
            let offset = UnsafeRawPointer(place) - start
            rest = UnsafeRawBufferPointer(rebasing: rest[(offset + 1)...])
        }
        return found
    }
}

extension off_t {
    fileprivate init(bitPattern address: UInt64) { self = off_t(truncatingIfNeeded: address) }
}
