internal import CLinux
internal import Crypto
internal import Keyring

#if DEBUG
    // Published vectors have contexts and lengths that no seal has: they go past the seal's format to the mechanism.
    @testable internal import PKCS11Backend

    /// One operation of a mechanism with the key that the URI selects.
    struct Vector {
        private let configuration: CheckedConfiguration
        private let arguments: [String]

        init(_ configuration: PKCS11Configuration, _ arguments: [String]) throws {
            self.configuration = try CheckedConfiguration(configuration)
            self.arguments = arguments
        }

        func answer() throws -> [String] {
            let token = Token(configuration, log: .none)
            defer { token.close() }
            let bytes = try arguments.dropFirst().map { text in
                guard let bytes = Hex.decode(text == "-" ? "" : text) else {
                    throw CryptoError(.invalidLength, "hexadecimal argument")
                }
                return bytes
            }
            let name = arguments.first ?? ""
            let result = try token.withKey { (use) throws(PKCS11Error) in try run(name, bytes, use) }
            return ["vector \(Hex.encode(result))"]
        }

        private func run(_ name: String, _ bytes: [[UInt8]], _ use: Token.Use) throws(PKCS11Error) -> [UInt8] {
            let gcm = AESGCM(style: .callerIV)
            switch (name, bytes.count) {
            case ("gcm-encrypt", 3):
                return try with(bytes[2]) { (plaintext) throws(PKCS11Error) in
                    try gcm.encrypt(plaintext, iv: bytes[0], aad: bytes[1], use.session, use.key).output
                }
            case ("gcm-decrypt", 3):
                return plain(try gcm.decrypt(bytes[2], iv: bytes[0], aad: bytes[1], use.session, use.key))
            case ("wrap-by-encrypt", 2), ("wrap-by-wrap-key", 2):
                return try with(bytes[1]) { (plaintext) throws(PKCS11Error) in
                    try keyWrap(name, bytes[0]).wrap(plaintext, use.session, use.key)
                }
            case ("unwrap-by-decrypt", 2), ("unwrap-by-unwrap-key", 2):
                return plain(try keyWrap(name, bytes[0]).unwrap(bytes[1], use.session, use.key))
            case ("oaep-sha1", 1):
                return plain(try RSAOAEPSealing(style: .oaepSHA1).decrypt(bytes[0], use.session, use.key))
            case ("oaep-sha256", 1):
                return plain(try RSAOAEPSealing(style: .oaepSHA256).decrypt(bytes[0], use.session, use.key))
            default:
                throw PKCS11Error(.configuration, "unknown vector \(name)")
            }
        }

        private func keyWrap(_ name: String, _ mechanism: [UInt8]) -> AESKeyWrap {
            AESKeyWrap(
                number: mechanism.reduce(0) { $0 << 8 | UInt32($1) },
                style: name.hasSuffix("-key") ? .wrapKey : .wrapByEncrypt)
        }

        private func with<R>(
            _ bytes: [UInt8], _ body: (UnsafeRawBufferPointer) throws(PKCS11Error) -> R
        ) throws(PKCS11Error) -> R {
            try bytes.span.withUnsafeBytes { (bytes) throws(PKCS11Error) in try body(bytes) }
        }

        private func plain(_ secret: borrowing SecretBytes) -> [UInt8] { secret.withUnsafeBytes { Array($0) } }
    }
#else
    internal import PKCS11Backend

    /// Needs what only a debug build shows.
    struct Vector {
        init(_ configuration: PKCS11Configuration, _ arguments: [String]) throws {}

        func answer() throws -> [String] { throw CryptoError(.library, "vectors are for debug builds") }
    }
#endif
