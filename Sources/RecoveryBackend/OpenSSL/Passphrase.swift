internal import COpenSSL
internal import Crypto

/// What a PEM reader is told when it asks for a passphrase. Never the terminal: libcrypto would ask there by itself.
enum Passphrase {
    /// The longest passphrase, in bytes; libcrypto's own limit is 1024.
    static let maximumSize = 512

    /// Of one call of a reader.
    struct Answer {
        var passphrase: UnsafeRawBufferPointer?
        var wasAsked = false
    }

    /// libcrypto's `pem_password_cb`; its last argument is an `Answer`.
    static let callback:
        @convention(c) (
            UnsafeMutablePointer<CChar>?, Int32, Int32, UnsafeMutableRawPointer?
        ) -> Int32 = { buffer, size, _, context in
            guard let buffer, let answer = context?.assumingMemoryBound(to: Answer.self) else { return -1 }
            answer.pointee.wasAsked = true
            guard let passphrase = answer.pointee.passphrase, passphrase.count <= Int(size) else { return -1 }
            UnsafeMutableRawBufferPointer(start: buffer, count: Int(size)).copyMemory(from: passphrase)
            return Int32(passphrase.count)
        }
}
