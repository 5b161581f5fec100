internal import Crypto

/// Fills the secure heap up, and empties it again.
enum Heap {
    private final class Box {
        let secret: SecretBytes

        init(_ count: Int) throws(CryptoError) { secret = try SecretBytes(randomCount: count) }
    }

    static func run() throws {
        let cipher = try XAES256GCM(key: try SecretBytes(randomCount: 32))
        // What libcrypto itself keeps there (the DRBGs' state) is not ours.
        try Leaks.roundTrip(cipher)
        let before = SecureHeap.used
        var boxes: [Box] = []
        boxes.append(try Box(32))
        say("one", "\(SecureHeap.used - before)")
        var refusal: CryptoError?
        while refusal == nil {
            do throws(CryptoError) {
                boxes.append(try Box(1024))
            } catch {
                refusal = error
            }
        }
        say("many", "\(boxes.count)")
        say("refusal", refusal?.code.rawValue ?? "")
        // The rest in the smallest pieces: then nothing at all is left.
        while let box = try? Box(32) { boxes.append(box) }
        say("large", code { _ = try Box(1 << 30) })
        say("negative", code { _ = try Box(-1) })
        say("cipher", code { _ = try XAES256GCM(key: boxes[0].secret) })
        say("derivation", code { _ = try KBKDF.derive(from: boxes[0].secret, label: "enc", count: 32) })
        // A cipher that exists goes on.
        say("seal", code { try Leaks.roundTrip(cipher) })
        boxes = []
        say("rest", "\(SecureHeap.used - before)")
        say("afterwards", code { _ = try Box(100_000) })
    }

    private static func code(_ body: () throws -> Void) -> String {
        do {
            try body()
            return "none"
        } catch let error as CryptoError {
            return error.code.rawValue
        } catch {
            return "\(error)"
        }
    }
}
