internal import Crypto
internal import Testing

@Suite("XAES-256-GCM")
struct XAES256GCMTests {
    @Test("gives what the specification prints", arguments: XAESVector.specification)
    func specification(_ vector: XAESVector) throws {
        let cipher = try XAES256GCM(key: try secret(vector.key))
        // Twice, since the contexts are used again.
        for _ in 0..<2 {
            #expect(try cipher.seal(vector.plaintext, nonce: vector.nonce, aad: vector.aad) == vector.ciphertext)
            #expect(try cipher.open(vector.ciphertext, nonce: vector.nonce, aad: vector.aad) == vector.plaintext)
        }
    }

    @Test("gives the specification's digest over random inputs", arguments: XAESVector.accumulated)
    func accumulated(_ vector: XAESVector.Accumulated) throws {
        // Each test draws key, nonce and two byte strings with a length byte: at most 568 bytes, 313 on average.
        let stream = try SHAKE128().squeeze(vector.iterations * 314 + 10_000)
        let digest = try SHAKE128()
        try stream.withUnsafeBytes { (stream: UnsafeRawBufferPointer) throws -> Void in
            #expect(Array(stream.prefix(16)) == hex("7f9c2ba4e88f827d616045507605853e"))
            var at = 0
            func draw(_ count: Int) throws -> UnsafeRawBufferPointer {
                try #require(at + count <= stream.count)
                defer { at += count }
                return UnsafeRawBufferPointer(rebasing: stream[at..<at + count])
            }
            let sealed = UnsafeMutableRawBufferPointer.allocate(byteCount: 255 + 16, alignment: 16)
            let opened = UnsafeMutableRawBufferPointer.allocate(byteCount: 255, alignment: 16)
            defer {
                sealed.deallocate()
                opened.deallocate()
            }
            for _ in 0..<vector.iterations {
                let cipher = try XAES256GCM(key: try SecretBytes(copying: try draw(32)))
                let nonce = try draw(24)
                let plaintext = try draw(Int(try draw(1)[0]))
                let aad = try draw(Int(try draw(1)[0]))
                let ciphertext = UnsafeMutableRawBufferPointer(rebasing: sealed[..<(plaintext.count + 16)])
                try cipher.seal(plaintext, nonce: nonce, aad: aad, into: ciphertext)
                digest.absorb(UnsafeRawBufferPointer(ciphertext))
                let back = UnsafeMutableRawBufferPointer(rebasing: opened[..<plaintext.count])
                try cipher.open(UnsafeRawBufferPointer(ciphertext), nonce: nonce, aad: aad, into: back)
                guard ConstantTime.equal(Array(back), Array(plaintext)) else {
                    Issue.record("opens to something else")
                    return
                }
            }
        }
        #expect(digest.squeeze(32) == vector.digest)
    }

    @Test("opens nothing in which a single bit was changed")
    func tampering() throws {
        let cipher = try XAES256GCM(key: try SecretBytes(randomCount: 32))
        let nonce = try Random.bytes(24)
        let aad = Array("version, kekID, keyringID, API".utf8)
        let ciphertext = try cipher.seal(Array("a DEK seed has thirty-two bytes.".utf8), nonce: nonce, aad: aad)
        func refused(_ ciphertext: [UInt8], _ nonce: [UInt8], _ aad: [UInt8], _ what: Comment) {
            var output = [UInt8](repeating: 0xEE, count: ciphertext.count - XAES256GCM.tagSize)
            let error = #expect(throws: CryptoError.self, what) {
                try cipher.call(ciphertext, nonce, aad, &output, cipher.open)
            }
            #expect(error?.code == .authenticationFailed, what)
            #expect(output.allSatisfy { $0 == 0 }, what)
        }
        for bit in 0..<ciphertext.count * 8 {
            var changed = ciphertext
            changed[bit / 8] ^= 1 << UInt8(bit % 8)
            refused(changed, nonce, aad, "bit \(bit) of ciphertext and tag")
        }
        for bit in 0..<nonce.count * 8 {
            var changed = nonce
            changed[bit / 8] ^= 1 << UInt8(bit % 8)
            refused(ciphertext, changed, aad, "bit \(bit) of the nonce")
        }
        for bit in 0..<aad.count * 8 {
            var changed = aad
            changed[bit / 8] ^= 1 << UInt8(bit % 8)
            refused(ciphertext, nonce, changed, "bit \(bit) of the associated data")
        }
        refused(ciphertext, nonce, aad.dropLast(), "associated data without its last byte")
        refused(ciphertext, nonce, aad + [0], "associated data with a byte more")
        refused(ciphertext, nonce, [], "no associated data")
        refused(ciphertext + [0], nonce, aad, "a byte more at the end")
        for count in XAES256GCM.tagSize..<ciphertext.count {
            refused(Array(ciphertext.prefix(count)), nonce, aad, "only \(count) bytes")
        }
        // And after all those failures it still opens what is right.
        #expect(try cipher.open(ciphertext, nonce: nonce, aad: aad).count == 32)
    }

    @Test("refuses another key")
    func otherKey() throws {
        let nonce = try Random.bytes(24)
        let ciphertext = try XAES256GCM(key: try SecretBytes(randomCount: 32)).seal([1, 2, 3], nonce: nonce, aad: [])
        let other = try XAES256GCM(key: try SecretBytes(randomCount: 32))
        let error = #expect(throws: CryptoError.self) { try other.open(ciphertext, nonce: nonce, aad: []) }
        #expect(error?.code == .authenticationFailed)
    }

    @Test("seals and opens empty plaintexts, with and without associated data", arguments: [[], [7], [UInt8](0..<255)])
    func empty(_ aad: [UInt8]) throws {
        let cipher = try XAES256GCM(key: try SecretBytes(randomCount: 32))
        let nonce = try Random.bytes(24)
        let ciphertext = try cipher.seal([], nonce: nonce, aad: aad)
        #expect(ciphertext.count == XAES256GCM.tagSize)
        #expect(try cipher.open(ciphertext, nonce: nonce, aad: aad) == [])
        #expect(throws: CryptoError.self) { try cipher.open(ciphertext, nonce: nonce, aad: aad + [1]) }
    }

    @Test("refuses keys that are not 32 bytes", arguments: [0, 1, 16, 24, 31, 33, 64])
    func keyLengths(_ count: Int) throws {
        let error = #expect(throws: CryptoError.self) {
            _ = try XAES256GCM(key: try SecretBytes(randomCount: count))
        }
        #expect(error?.code == .invalidLength)
    }

    @Test("refuses nonces that are not 24 bytes", arguments: [0, 1, 12, 16, 23, 25, 48])
    func nonceLengths(_ count: Int) throws {
        let cipher = try XAES256GCM(key: try SecretBytes(randomCount: 32))
        let nonce = [UInt8](repeating: 0, count: count)
        let sealing = #expect(throws: CryptoError.self) { try cipher.seal([1], nonce: nonce, aad: []) }
        #expect(sealing?.code == .invalidLength)
        let opening = #expect(throws: CryptoError.self) {
            try cipher.open([UInt8](repeating: 0, count: 17), nonce: nonce, aad: [])
        }
        #expect(opening?.code == .invalidLength)
    }

    @Test("refuses ciphertexts shorter than a tag", arguments: 0..<16)
    func shortCiphertexts(_ count: Int) throws {
        let cipher = try XAES256GCM(key: try SecretBytes(randomCount: 32))
        let error = #expect(throws: CryptoError.self) {
            try cipher.open([UInt8](repeating: 0, count: count), nonce: [UInt8](repeating: 0, count: 24), aad: [])
        }
        #expect(error?.code == .invalidLength)
    }

    @Test("refuses outputs of another length", arguments: [-1, 1])
    func outputLengths(_ difference: Int) throws {
        let cipher = try XAES256GCM(key: try SecretBytes(randomCount: 32))
        let nonce = [UInt8](repeating: 0, count: 24)
        var sealed = [UInt8](repeating: 0, count: 8 + 16 + difference)
        let sealing = #expect(throws: CryptoError.self) {
            try cipher.call([UInt8](repeating: 1, count: 8), nonce, [], &sealed, cipher.seal)
        }
        #expect(sealing?.code == .invalidLength)
        var opened = [UInt8](repeating: 0, count: 8 + difference)
        let opening = #expect(throws: CryptoError.self) {
            try cipher.call([UInt8](repeating: 1, count: 24), nonce, [], &opened, cipher.open)
        }
        #expect(opening?.code == .invalidLength)
    }

    @Test("one key serves many threads at once")
    func concurrent() async throws {
        let cipher = try XAES256GCM(key: try SecretBytes(randomCount: 32))
        try await withThrowingTaskGroup(of: Void.self) { group in
            for task in 0..<8 {
                group.addTask {
                    let aad = [UInt8(task)]
                    for _ in 0..<500 {
                        let plaintext = try Random.bytes(32)
                        let nonce = try Random.bytes(24)
                        let ciphertext = try cipher.seal(plaintext, nonce: nonce, aad: aad)
                        #expect(try cipher.open(ciphertext, nonce: nonce, aad: aad) == plaintext)
                    }
                }
            }
            try await group.waitForAll()
        }
    }
}
