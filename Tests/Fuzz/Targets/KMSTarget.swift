@testable internal import Crypto
@testable internal import KMSServer
@testable internal import Keyring

/// The bytes of a gRPC message, given to every method of both APIs over a keyring in memory.
struct KMSTarget: FuzzTarget {
    let name = "kms"
    private static let keyring = Result { try MemoryKeyring() }

    func seeds() throws -> [[UInt8]] {
        let keyring = try KMSTarget.keyring.get()
        let seed = [UInt8](0..<32)
        let sealed = try seed.withUnsafeBytes { try keyring.encrypt($0, api: .v2) }
        let sealedV1 = try seed.withUnsafeBytes { try keyring.encrypt($0, api: .v1beta1) }
        let uid = field(2, Array("1b4e28ba-2fa1-11d2-883f-0016d3cca427".utf8))
        let annotation =
            field(1, Array("kek.trousseau".utf8)) + field(2, Array(sealed.publication.annotation.prefix(100)))
        return [
            field(1, seed) + uid,
            field(1, sealed.ciphertext) + uid + field(3, Array(sealed.publication.keyID.utf8)) + field(4, annotation),
            field(1, Array("v1beta1".utf8)) + field(2, seed),
            field(1, Array("v1beta1".utf8)) + field(2, sealedV1.ciphertext),
        ]
    }

    private func field(_ number: UInt8, _ bytes: [UInt8]) -> [UInt8] {
        let tag = number << 3 | 2
        guard bytes.count >= 128 else { return [tag, UInt8(bytes.count)] + bytes }
        return [tag, UInt8(bytes.count & 0x7f) | 0x80, UInt8(bytes.count >> 7)] + bytes
    }

    func run(_ bytes: [UInt8]) {
        guard let keyring = try? KMSTarget.keyring.get() else { Fuzz.fail("no keyring") }
        let shared = KMSMethods(keyring, log: .none)
        bytes.withUnsafeBytes { bytes in
            for method in KMSv2.methods(shared) + KMSv1Beta1.methods(shared, runtimeVersion: "0") {
                _ = method.answer(bytes)
            }
        }
    }
}

/// A keyring of one KEK.
private struct MemoryKeyring: KeyService {
    private let cipher: EnvelopeCipher
    private let matcher: KeyIDMatcher
    private let publication: CurrentPublication

    init() throws {
        let (kek, record) = (try Sample.kek(1), try Sample.record())
        cipher = EnvelopeCipher(kek: kek, keyring: try Sample.keyring())
        matcher = KeyIDMatcher(record.identity)
        let publication = try Publication(active: record, prepared: nil, under: kek)
        self.publication = CurrentPublication(keyID: publication.keyID().text, annotation: publication.encoded)
    }

    func status() -> CurrentPublication { publication }

    func encrypt(_ plaintext: UnsafeRawBufferPointer, api: KMSAPI) throws(ServiceError) -> Encrypted {
        do {
            return Encrypted(ciphertext: try cipher.encrypt(plaintext, api: api), publication: publication)
        } catch {
            throw ServiceError(.invalidArgument, "\(error)")
        }
    }

    func decrypt(
        _ ciphertext: UnsafeRawBufferPointer, keyID: UnsafeRawBufferPointer?, api: KMSAPI
    ) throws(ServiceError) -> Decrypted {
        if let keyID, !matcher.matches(keyID) { throw ServiceError(.invalidArgument, "another key_id") }
        do {
            return .plaintext(Plaintext(try cipher.decrypt(ciphertext, api: api)))
        } catch {
            throw ServiceError(.invalidArgument, "\(error)")
        }
    }

    func decrypt(_ cold: ColdDecryption, until: ContinuousClock.Instant) async throws(ServiceError) -> Plaintext {
        throw ServiceError(.notFound, "no such KEK")
    }
}
