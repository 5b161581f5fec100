internal import Crypto

extension TPMPublic {
    /// The TPMT_PUBLIC.
    var encoded: [UInt8] {
        TPMWriter.bytes { writer in
            switch key {
            case .ecc(let symmetric, let curve, let x, let y):
                writeHead(TPMAlgorithm.ecc, &writer)
                TPMPublic.write(symmetric, &writer)
                writer.integer(TPMAlgorithm.null)
                writer.integer(curve.tpmCurve)
                writer.integer(TPMAlgorithm.null)
                writer.sized(x)
                writer.sized(y)
            case .rsa(let symmetric, let exponent, let modulus):
                writeHead(TPMAlgorithm.rsa, &writer)
                TPMPublic.write(symmetric, &writer)
                writer.integer(TPMAlgorithm.null)
                writer.integer(UInt16(truncatingIfNeeded: modulus.count * 8))
                writer.integer(exponent)
                writer.sized(modulus)
            case .keyedHash(let unique):
                writeHead(TPMAlgorithm.keyedHash, &writer)
                writer.integer(TPMAlgorithm.null)
                writer.sized(unique)
            }
        }
    }

    /// The TPM2B_PUBLIC: as above, with its size before it.
    var encodedSized: [UInt8] { TPMWriter.bytes { $0.sized(encoded) } }

    private func writeHead(_ type: UInt16, _ writer: inout TPMWriter) {
        writer.integer(type)
        writer.integer(nameAlgorithm.tpmAlgorithm)
        writer.integer(attributes.rawValue)
        writer.sized(authPolicy)
    }

    private static func write(_ symmetric: Symmetric?, _ writer: inout TPMWriter) {
        guard case .aesCFB(let bits) = symmetric else { return writer.integer(TPMAlgorithm.null) }
        writer.integer(TPMAlgorithm.aes)
        writer.integer(bits)
        writer.integer(TPMAlgorithm.cfb)
    }

    /// Parses a TPM2B_PUBLIC, and nothing behind it.
    init(sized bytes: [UInt8]) throws(TPMFormatError) {
        var reader = TPMReader(bytes, "TPM2B_PUBLIC")
        let inner = try reader.sized("the structure", atMost: TPMPublic.limit)
        try reader.finish()
        try self.init(inner)
    }

    /// Parses a TPMT_PUBLIC, and nothing behind it.
    init(_ bytes: [UInt8]) throws(TPMFormatError) {
        guard bytes.count <= TPMPublic.limit else {
            throw TPMFormatError(.malformed, "TPMT_PUBLIC has \(bytes.count) bytes")
        }
        var reader = TPMReader(bytes, "TPMT_PUBLIC")
        let type = try reader.uint16()
        let algorithm = try reader.uint16()
        guard let hash = HashAlgorithm(tpmAlgorithm: algorithm) else {
            throw .unsupported("its name algorithm is \(TPMPublic.hex(algorithm)), not of SHA-2")
        }
        let attributes = ObjectAttributes(rawValue: try reader.uint32())
        let policy = try reader.sized("authPolicy", atMost: hash.size)
        guard policy.isEmpty || policy.count == hash.size else {
            throw TPMFormatError(.malformed, "TPMT_PUBLIC: authPolicy has \(policy.count) bytes, not \(hash.size)")
        }
        let key: Key
        switch type {
        case TPMAlgorithm.ecc: key = try TPMPublic.ecc(&reader)
        case TPMAlgorithm.rsa: key = try TPMPublic.rsa(&reader)
        case TPMAlgorithm.keyedHash: key = try TPMPublic.keyedHash(&reader, hash)
        default: throw .unsupported("an object of type \(TPMPublic.hex(type))")
        }
        try reader.finish()
        self.init(nameAlgorithm: hash, attributes: attributes, authPolicy: policy, key: key)
    }

    private static func ecc(_ reader: inout TPMReader) throws(TPMFormatError) -> Key {
        let symmetric = try symmetric(&reader)
        try null(&reader, "scheme")
        let number = try reader.uint16()
        guard let curve = EllipticCurve(tpmCurve: number) else {
            throw .unsupported("its curve is \(hex(number)), neither P-256 nor P-384")
        }
        try null(&reader, "key derivation")
        let x = try reader.sized("x", atMost: curve.width)
        let y = try reader.sized("y", atMost: curve.width)
        guard !x.isEmpty, !y.isEmpty else { throw TPMFormatError(.malformed, "TPMT_PUBLIC: the point is missing") }
        return .ecc(symmetric, curve, x: x, y: y)
    }

    private static func rsa(_ reader: inout TPMReader) throws(TPMFormatError) -> Key {
        let symmetric = try symmetric(&reader)
        try null(&reader, "scheme")
        let bits = try reader.uint16()
        guard [2048, 3072].contains(bits) else { throw .unsupported("an RSA key of \(bits) bits") }
        let exponent = try reader.uint32()
        let modulus = try reader.sized("the modulus", atMost: Int(bits) / 8)
        guard modulus.count == Int(bits) / 8, let first = modulus.first, first >= 0x80, let last = modulus.last,
            last & 1 == 1, exponent == 0 || (exponent & 1 == 1 && exponent > 1)
        else { throw TPMFormatError(.malformed, "TPMT_PUBLIC: the numbers are not those of an RSA key") }
        return .rsa(symmetric, exponent: exponent, modulus: modulus)
    }

    private static func keyedHash(
        _ reader: inout TPMReader, _ hash: HashAlgorithm
    ) throws(TPMFormatError) -> Key {
        try null(&reader, "scheme")
        let unique = try reader.sized("unique", atMost: hash.size)
        guard unique.count == hash.size else {
            throw TPMFormatError(.malformed, "TPMT_PUBLIC: unique has \(unique.count) bytes, not \(hash.size)")
        }
        return .keyedHash(unique: unique)
    }

    private static func symmetric(_ reader: inout TPMReader) throws(TPMFormatError) -> Symmetric? {
        let algorithm = try reader.uint16()
        if algorithm == TPMAlgorithm.null { return nil }
        guard algorithm == TPMAlgorithm.aes else { throw .unsupported("its cipher is \(hex(algorithm)), not AES") }
        let bits = try reader.uint16()
        let mode = try reader.uint16()
        guard [128, 192, 256].contains(bits), mode == TPMAlgorithm.cfb else {
            throw .unsupported("its cipher is AES-\(bits) in mode \(hex(mode)), not in CFB")
        }
        return .aesCFB(bits: bits)
    }

    private static func null(_ reader: inout TPMReader, _ field: String) throws(TPMFormatError) {
        let algorithm = try reader.uint16()
        guard algorithm == TPMAlgorithm.null else { throw .unsupported("its \(field) is \(hex(algorithm)), not none") }
    }

    private static func hex(_ number: UInt16) -> String { "0x" + String(number, radix: 16) }
}

extension TPMFormatError {
    fileprivate static func unsupported(_ what: String) -> TPMFormatError {
        TPMFormatError(.unsupported, "a TPM object is not of a kind that is used here: \(what)")
    }
}
