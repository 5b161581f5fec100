internal import Crypto
internal import Keyring

/// Where the PIN comes from.
enum PINSource: Sendable, Equatable {
    case file(PINFile)
    /// The configuration's URI itself (`pin-value`), by the operator's word.
    case inline(uri: String)

    /// Reads `file:/path` or an absolute path; nothing is opened.
    init(_ text: String) throws(PKCS11Error) {
        do throws(PINFailure) {
            self = .file(try PINFile(text))
        } catch {
            throw PKCS11Error(error)
        }
    }

    /// For messages: never the PIN.
    var name: String {
        switch self {
        case .file(let file): file.path
        case .inline: "the URI's pin-value"
        }
    }

    /// The PIN and the identity of what held it, from one descriptor, so that they belong together.
    ///
    /// - Throws: `PKCS11Error.pinSource`; see `PINFile.read`.
    func read() throws(PKCS11Error) -> PIN {
        switch self {
        case .file(let file):
            do throws(PINFailure) {
                return try file.read()
            } catch {
                throw PKCS11Error(error)
            }
        case .inline(let uri):
            guard var value = try KeyURI.pinValue(of: uri) else {
                throw PKCS11Error(.pinSource, "PIN file: pin-value is missing")
            }
            defer { value.withUnsafeMutableBytes { SecretBytes.wipe($0) } }
            do {
                return PIN(
                    try SecretBytes(count: value.count) { (memory) throws(CryptoError) in memory.copyBytes(from: value)
                    },
                    .inline)
            } catch {
                throw PKCS11Error(.pinSource, "the PIN: \(error)", errorClass: .retry)
            }
        }
    }
}

extension PKCS11Error {
    /// What a PIN's file or guard says.
    init(_ failure: PINFailure) {
        switch failure.code {
        case .source: self.init(.pinSource, failure.message, hint: failure.hint)
        case .blocked: self.init(.pinBlocked, failure.message, hint: failure.hint)
        case .busy: self.init(.pinBlocked, failure.message, hint: failure.hint, errorClass: .retry)
        case .memory: self.init(.pinSource, failure.message, hint: failure.hint, errorClass: .retry)
        }
    }
}
