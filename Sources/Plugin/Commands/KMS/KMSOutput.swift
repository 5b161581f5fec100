internal import Crypto
internal import Glibc

/// Results of `kms` on standard output. Unlike a report that nobody reads, one that was cut off is a failure: the
/// ciphertext or the plaintext would be lost.
enum KMSOutput {
    static func write(_ options: Command.KMS, _ text: String) throws(CommandFailure) {
        var text = text
        let code = text.withUTF8 { write(UnsafeRawBufferPointer($0)) }
        try check(options, code)
    }

    /// The plaintext itself, or in JSON as base64, for which it has to leave its locked memory.
    static func write(_ options: Command.KMS, _ plaintext: borrowing SecretBytes) throws(CommandFailure) {
        switch options.output {
        case .text:
            try check(options, plaintext.withUnsafeBytes { write($0) })
        case .json:
            let text = plaintext.withUnsafeBytes { Base64.encode(Array($0)) }
            try write(options, JSONValue.members(("plaintext", .string(text))).text)
        }
    }

    /// Lines of `name: value`; the values come from the plugin.
    static func lines(_ members: [(name: String, value: String)]) -> String {
        members.map { name, value in "\(name): \(PrintableText.escaped(value))\n" }.joined()
    }

    /// Writes all of it; 0, or errno.
    private static func write(_ bytes: UnsafeRawBufferPointer) -> CInt {
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = UnsafeRawBufferPointer(rebasing: rest)
            let count = Glibc.write(STDOUT_FILENO, piece.baseAddress, piece.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return errno }
            rest = rest.dropFirst(count)
        }
        return 0
    }

    private static func check(_ options: Command.KMS, _ code: CInt) throws(CommandFailure) {
        guard code != 0 else { return }
        throw KMSCommand.failure(options, "standard output: \(String(cString: strerror(code)))")
    }
}
