@testable internal import Crypto
@testable internal import Keyring

/// Ciphertexts: nothing opens but what encrypts to the same bytes, and what is encrypted opens to the same bytes.
struct EnvelopeTarget: FuzzTarget {
    let name = "envelope"
    /// Made once, since a target runs thousands of times a second.
    private static let cipher = Result { try EnvelopeCipher(kek: Sample.kek(1), keyring: Sample.keyring()) }

    func seeds() throws -> [[UInt8]] {
        let cipher = try EnvelopeTarget.cipher.get()
        return [[UInt8](0..<32), [1]].compactMap { plaintext in
            plaintext.withUnsafeBytes { try? cipher.encrypt($0, api: .v2) }
        }
    }

    func run(_ bytes: [UInt8]) {
        guard let cipher = try? EnvelopeTarget.cipher.get() else { Fuzz.fail("no cipher") }
        bytes.withUnsafeBytes { bytes in
            for api in KMSAPI.allCases {
                open(bytes, cipher, api)
                roundTrip(bytes, cipher, api)
            }
        }
    }

    private func open(_ bytes: UnsafeRawBufferPointer, _ cipher: EnvelopeCipher, _ api: KMSAPI) {
        do throws(FormatError) {
            let plaintext = try cipher.decrypt(bytes, api: api)
            let nonce = Array(bytes[Envelope.nonceOffset..<Envelope.headerSize])
            let again = try plaintext.withUnsafeBytes { (plaintext) throws(FormatError) in
                try cipher.encrypt(plaintext, api: api) { (memory) throws(CryptoError) in memory.copyBytes(from: nonce)
                }
            }
            Fuzz.check(again.elementsEqual(bytes), "opens, but is not what is made")
        } catch {
            Fuzz.check(error.code != .cryptography, "\(error)")
        }
    }

    private func roundTrip(_ bytes: UnsafeRawBufferPointer, _ cipher: EnvelopeCipher, _ api: KMSAPI) {
        do throws(FormatError) {
            let ciphertext = try cipher.encrypt(bytes, api: api)
            Fuzz.check(Envelope.ciphertextSizes ~= ciphertext.count, "\(ciphertext.count) bytes of ciphertext")
            try ciphertext.span.withUnsafeBytes { (ciphertext) throws(FormatError) in
                let opened = try cipher.decrypt(ciphertext, api: api)
                Fuzz.check(opened.withUnsafeBytes { $0.elementsEqual(bytes) }, "opens to something else")
            }
        } catch {
            Fuzz.check(!(Envelope.plaintextSizes ~= bytes.count), "\(error)")
        }
    }
}

/// A key_id has one spelling, and the matcher of the hot path agrees with the parser.
struct KeyIDTarget: FuzzTarget {
    let name = "key-id"
    private static let identity = Result { try Sample.record().identity }

    func seeds() throws -> [[UInt8]] {
        [Array(try Publication(active: Sample.record(), prepared: nil, under: Sample.kek(1)).keyID().text.utf8)]
    }

    func run(_ bytes: [UInt8]) {
        let keyID = try? KeyID(bytes)
        if let keyID { Fuzz.check(Array(keyID.text.utf8) == bytes, "two spellings") }
        guard let identity = try? KeyIDTarget.identity.get() else { Fuzz.fail("no record") }
        let matches = bytes.withUnsafeBytes { KeyIDMatcher(identity).matches($0) }
        let names =
            keyID.map {
                $0.name == identity.keyring.name && $0.generation == identity.generation
                    && $0.kek == identity.kekID.description
            } ?? false
        Fuzz.check(matches == names, "matcher and parser disagree")
    }
}
