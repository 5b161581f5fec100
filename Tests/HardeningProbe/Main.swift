internal import Glibc

/// What can only be shown in a process of its own: what a hardened process looks like from outside, and what keys leave
/// behind in memory. Prints `name value` lines on standard output.
@main
enum Main {
    static func main() {
        do {
            switch CommandLine.arguments.dropFirst().first {
            case "harden": try Hardening.run(Array(CommandLine.arguments.dropFirst(2)))
            case "heap": try Heap.run()
            case "residue": try Residue.run()
            case "leaks": try Leaks.run()
            default: throw ProbeError("usage: HardeningProbe harden [OPTION]... | heap | residue | leaks")
            }
        } catch {
            say("error", "\(error)")
            exit(1)
        }
    }
}

struct ProbeError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

func say(_ name: String, _ value: String) {
    print(name, value)
}

/// A field of /proc/self/status: "VmLck" gives "0 kB".
func status(_ field: String) throws -> String {
    guard let file = fopen("/proc/self/status", "re") else { throw ProbeError("/proc/self/status: \(errno)") }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 4096)
    while fgets(&line, CInt(line.count), file) != nil {
        let text = String(cString: Array(line.prefix { $0 != 0 }) + [0])
        guard text.hasPrefix(field + ":") else { continue }
        let value = text.dropFirst(field.count + 1).drop { $0 == " " || $0 == "\t" }
        return String(value.prefix { $0 != "\n" })
    }
    throw ProbeError("no \(field) in /proc/self/status")
}
