import CLinux
import Glibc
import Keyring
import TestSupport

/// What is in this process' ordinary memory.
enum Residue {
    /// Bytes of anonymous memory that this process has touched.
    static func resident() throws -> Int {
        for line in try Files.readText("/proc/self/status").split(separator: "\n") where line.hasPrefix("RssAnon:") {
            if let kilobytes = line.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) {
                return kilobytes * 1024
            }
        }
        throw TestError("/proc/self/status has no RssAnon")
    }

    /// What is looked for, in a form in which it does not find itself: each byte inverted.
    struct Needle {
        let inverted: [UInt8]

        /// The middle of the KEK: allocators overwrite the beginning of what is freed.
        init(_ kek: KEK) { inverted = kek.withUnsafeBytes { $0[16..<32].map { ~$0 } } }

        /// The end of a PIN of 32 bytes, each three more than the one before it.
        init(pin first: UInt8) { inverted = (16..<32).map { ~(first + 3 * $0) } }
    }

    /// A copy of a KEK in ordinary memory, which has to be found.
    struct Copy {
        private let memory: UnsafeMutableRawBufferPointer

        init(_ kek: KEK) {
            memory = .allocate(byteCount: 64, alignment: 16)
            let memory = memory
            kek.withUnsafeBytes { memory.copyMemory(from: $0) }
        }

        func wipe() {
            memory.initializeMemory(as: UInt8.self, repeating: 0)
            memory.deallocate()
        }
    }

    /// How often the needle is in writable memory that is not locked; the secure heap is, and what it holds is meant to.
    static func count(_ needle: Needle) throws -> Int {
        let maps = try Files.readText("/proc/self/smaps")
        let file = open("/proc/self/mem", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw TestError("/proc/self/mem: \(errno)") }
        defer { close(file) }
        var found = 0
        var range: (UInt, UInt)?
        for line in maps.split(separator: "\n") {
            let words = line.split(separator: " ")
            if let bounds = words.first?.split(separator: "-"), bounds.count == 2, let low = UInt(bounds[0], radix: 16),
                let high = UInt(bounds[1], radix: 16), words.count > 1
            {
                range = words[1].hasPrefix("rw") && !line.hasSuffix("[vvar]") ? (low, high) : nil
            } else if words.first == "VmFlags:", let (low, high) = range {
                if !words.contains("lo") && !words.contains("dd") { found += scan(file, low, high, needle) }
                range = nil
            }
        }
        return found
    }

    private static func scan(_ file: Int32, _ low: UInt, _ high: UInt, _ needle: Needle) -> Int {
        let size = 1 << 20
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 16)
        defer {
            // It is memory of this process as well.
            buffer.initializeMemory(as: UInt8.self, repeating: 0)
            buffer.deallocate()
        }
        let own = UInt(bitPattern: buffer.baseAddress)
        var found = 0
        var address = low
        while address < high {
            let count = pread(file, buffer.baseAddress, min(size, Int(high - address)), Int(address))
            guard count > 0 else { return found }
            found += matches(UnsafeRawBufferPointer(rebasing: buffer[..<count]), needle) { offset in
                let place = address + UInt(offset)
                return place >= own && place < own + UInt(size)
            }
            guard count > 16 else { return found }
            address += UInt(count) - (address + UInt(count) < high ? 15 : 0)
        }
        return found
    }

    private static func matches(
        _ bytes: UnsafeRawBufferPointer, _ needle: Needle, except: (Int) -> Bool
    ) -> Int {
        let wanted = needle.inverted
        let first = ~wanted[0]
        var found = 0
        var start = 0
        while start + wanted.count <= bytes.count {
            guard let base = bytes.baseAddress, let hit = memchr(base + start, Int32(first), bytes.count - start) else {
                break
            }
            let offset = hit - UnsafeMutableRawPointer(mutating: base)
            guard offset + wanted.count <= bytes.count else { break }
            if (0..<wanted.count).allSatisfy({ bytes[offset + $0] == ~wanted[$0] }), !except(offset) { found += 1 }
            start = offset + 1
        }
        return found
    }
}
