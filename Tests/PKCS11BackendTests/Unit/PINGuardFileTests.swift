internal import Keyring
internal import TestSupport
internal import Testing

@testable import PKCS11Backend

@Suite("the PIN guard's file")
struct PINGuardFileTests {
    private let identity = PINIdentity.file(
        PINFileIdentity(device: 1, inode: 2, modified: 3, changed: 4, size: 5))

    @Test("what was written is read, and removed for good")
    func roundTrip() throws {
        try TemporaryDirectory.with { folder in
            let file = TokenPINGuard(directory: folder, tokenSerial: "0a/../b")
            #expect(file.read() == .absent)
            try file.write(identity)
            #expect(file.read() == .refused(identity))
            #expect(try Files.mode(file.path) == 0o600)
            try file.write(.inline)
            #expect(file.read() == .refused(.inline))
            #expect(try Files.list(folder).count == 1)
            try file.remove()
            try file.remove()
            #expect(file.read() == .absent)
        }
    }

    @Test("a damaged file, one cut anywhere, or another token's, holds every PIN back")
    func damage() throws {
        try TemporaryDirectory.with { folder in
            let file = TokenPINGuard(directory: folder, tokenSerial: "1")
            try file.write(identity)
            let whole = try Files.read(file.path)
            for count in whole.indices {
                try Files.write(whole[..<count], to: file.path)
                #expect(file.read() == .unreadable("not a PIN guard of this version"))
            }
            let other = TokenPINGuard(directory: folder, tokenSerial: "2")
            try Files.write(whole, to: other.path)
            #expect(other.read() == .unreadable("not a PIN guard of this version"))
        }
    }

    @Test("a folder that is not there is an error before any login")
    func noFolder() {
        let file = TokenPINGuard(directory: "/nowhere/at/all", tokenSerial: "1")
        #expect(throws: PKCS11Error.self) { try file.locked {} }
        #expect(throws: PKCS11Error.self) { try file.write(identity) }
    }
}

extension TokenPINGuard {
    /// As a refused login does.
    fileprivate func write(_ identity: PINIdentity) throws(PKCS11Error) {
        try prepare(identity)
        try commit()
    }
}
