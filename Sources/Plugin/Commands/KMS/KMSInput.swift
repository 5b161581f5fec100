internal import Configuration
internal import Crypto
internal import Glibc
internal import KMSServer

/// What `kms encrypt` and `kms decrypt` read: --in, or standard input.
enum KMSInput {
    /// The plaintext, which is never elsewhere than in locked memory.
    ///
    /// - Throws: `CommandFailure` when it cannot be read, is empty, or is larger than the API can carry.
    static func plaintext(_ options: Command.KMS) throws(CommandFailure) -> SecretBytes {
        let limit = options.api == .v2 ? KMSClient.maximumPlaintext : KMSClient.maximumV1Plaintext
        let descriptor = try open(options)
        defer { if descriptor != STDIN_FILENO { close(descriptor) } }
        let plaintext: SecretBytes
        do {
            plaintext = try SecretBytes(capacity: limit + 1) { try fill($0, from: descriptor) }
        } catch let error as ReadError {
            throw KMSCommand.failure(options, "\(name(options)): \(String(cString: strerror(error.code)))")
        } catch {
            throw KMSCommand.failure(options, "\(error)")
        }
        guard plaintext.count > 0 else { throw KMSCommand.failure(options, "\(name(options)): is empty") }
        guard plaintext.count <= limit else {
            throw KMSCommand.failure(
                options, "\(name(options)): is larger than \(limit) bytes",
                hint: "KMS \(options.api.rawValue) carries keys, of 32 bytes as a rule")
        }
        return plaintext
    }

    /// What `kms encrypt` printed.
    ///
    /// - Throws: `CommandFailure` when it cannot be read or is something else.
    static func sealed(_ options: Command.KMS) throws(CommandFailure) -> SealedText {
        let descriptor = try open(options)
        defer { if descriptor != STDIN_FILENO { close(descriptor) } }
        let bytes: [UInt8]
        do throws(FileError) {
            bytes = try BoundedFile.read(descriptor: descriptor, limit: SealedText.maximumSize)
        } catch {
            throw KMSCommand.failure(options, "\(name(options)): \(error.reason)")
        }
        return try SealedText(parsing: bytes)
    }

    private static func name(_ options: Command.KMS) -> String {
        options.input.map { Quoted.text($0) } ?? "standard input"
    }

    private static func open(_ options: Command.KMS) throws(CommandFailure) -> CInt {
        guard let path = options.input else { return STDIN_FILENO }
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw KMSCommand.failure(options, "\(name(options)): \(String(cString: strerror(errno)))")
        }
        return descriptor
    }

    private struct ReadError: Error {
        let code: CInt
    }

    /// Reads to the end, or until the memory is full.
    private static func fill(_ memory: UnsafeMutableRawBufferPointer, from descriptor: CInt) throws(ReadError) -> Int {
        var filled = 0
        while filled < memory.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: memory[filled...])
            let count = read(descriptor, rest.baseAddress, rest.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw ReadError(code: errno) }
            if count == 0 { break }
            filled += count
        }
        return filled
    }
}
