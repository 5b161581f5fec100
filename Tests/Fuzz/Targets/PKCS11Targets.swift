internal import Keyring
@testable internal import PKCS11Backend

/// A seal as a record carries it.
struct PKCS11SealTarget: FuzzTarget {
    let name = "pkcs11-seal"

    func seeds() -> [[UInt8]] {
        [
            PKCS11Seal(
                mechanism: 0x1087, style: .callerIV, iv: [UInt8](repeating: 7, count: 12),
                ciphertext: [UInt8](repeating: 9, count: 48)
            ).encoded
        ]
    }

    func run(_ bytes: [UInt8]) {
        if let seal = try? PKCS11Seal(bytes) {
            Fuzz.check(seal.encoded == bytes, "accepted bytes are not the encoding")
            _ = try? SealingMechanisms.named(seal)
        }
        // What describes its recipient comes the same way.
        guard let description = KeyDescription(bytes) else { return }
        Fuzz.check(description.encoded == bytes, "an accepted description is not the encoding")
        _ = try? description.recipient()
    }
}

/// The line of a PIN guard's file.
struct PINIdentityTarget: FuzzTarget {
    let name = "pin-identity"

    func seeds() -> [[UInt8]] {
        [Array("inline".utf8), Array("file 2049 7 1764000000000000000 1764000000000000000 33".utf8)]
    }

    func run(_ bytes: [UInt8]) {
        let text = String(decoding: bytes, as: UTF8.self)
        guard let identity = PINIdentity(text: text) else { return }
        Fuzz.check(identity.text == text, "an accepted line is not the one that is written")
    }
}

/// A key's URI; p11-kit reads what passes our own check.
struct KeyURITarget: FuzzTarget {
    let name = "key-uri"

    func seeds() -> [[UInt8]] {
        [
            "pkcs11:token=trousseau;object=kek-sealer",
            "pkcs11:serial=0123456789abcdef;manufacturer=a;model=b;id=%01%02;type=secret-key",
            "pkcs11:token=t%20u;object=o?pin-source=file:/etc/pin&module-path=/usr/lib/m.so",
            "pkcs11:token=t;object=o?pin-value=1234",
        ].map { Array($0.utf8) }
    }

    func run(_ bytes: [UInt8]) {
        let text = String(decoding: bytes, as: UTF8.self)
        do throws(PKCS11Error) {
            let uri = try KeyURI(text)
            Fuzz.check(!uri.hasPINValue, "a PIN in a URI was accepted")
            Fuzz.check(uri.tokenLabel != nil || uri.tokenSerial != nil, "no token")
            Fuzz.check(uri.objectLabel != nil || uri.objectID != nil, "no key")
        } catch {
            // What stands in pin-value must not stand in an error.
            if let range = text.firstRange(of: "pin-value="), text[range.upperBound...].utf8.count >= 8 {
                Fuzz.check(!error.description.contains(text[range.upperBound...]), "an error shows a PIN")
            }
        }
        guard let uri = try? KeyURI(text, allowPINValue: true), uri.hasPINValue else { return }
        Fuzz.check(((try? KeyURI.pinValue(of: text)) ?? nil) != nil, "the PIN is gone")
    }
}
