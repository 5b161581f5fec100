/// Builds and takes apart protobuf messages of length-delimited fields, without the code under test.
enum Wire {
    static func field(_ number: UInt8, _ bytes: some Collection<UInt8>) -> [UInt8] {
        var length = bytes.count
        var header = [number << 3 | 2]
        repeat {
            header.append(UInt8(length & 0x7f) | (length > 0x7f ? 0x80 : 0))
            length >>= 7
        } while length > 0
        return header + Array(bytes)
    }

    static func field(_ number: UInt8, _ text: String) -> [UInt8] { field(number, Array(text.utf8)) }

    /// The fields in order; nil when it is malformed.
    static func fields(_ bytes: [UInt8]) -> [(number: UInt8, bytes: [UInt8])]? {
        var rest = bytes[...]
        var fields: [(number: UInt8, bytes: [UInt8])] = []
        while let tag = rest.popFirst() {
            guard tag & 7 == 2, tag < 0x80 else { return nil }
            var (length, shift) = (0, 0)
            while true {
                guard let byte = rest.popFirst(), shift < 32 else { return nil }
                length |= Int(byte & 0x7f) << shift
                shift += 7
                if byte < 0x80 { break }
            }
            guard length <= rest.count else { return nil }
            fields.append((tag >> 3, Array(rest.prefix(length))))
            rest = rest.dropFirst(length)
        }
        return fields
    }

    /// The only field of this number; nil when there is none or more than one.
    static func only(_ number: UInt8, in bytes: [UInt8]) -> [UInt8]? {
        let found = fields(bytes)?.filter { $0.number == number } ?? []
        return found.count == 1 ? found[0].bytes : nil
    }
}

/// Requests of the KMS APIs.
enum Request {
    static let status = "/v2.KeyManagementService/Status"
    static let encrypt = "/v2.KeyManagementService/Encrypt"
    static let decrypt = "/v2.KeyManagementService/Decrypt"
    static let version1 = "/v1beta1.KeyManagementService/Version"
    static let encrypt1 = "/v1beta1.KeyManagementService/Encrypt"
    static let decrypt1 = "/v1beta1.KeyManagementService/Decrypt"
    static let controlStatus = "/trousseau.control.v1.Control/Status"
    static let controlReseal = "/trousseau.control.v1.Control/Reseal"
    static let controlStop = "/trousseau.control.v1.Control/Stop"

    static func encrypt(_ plaintext: [UInt8], uid: String = "uid-1") -> [UInt8] {
        Wire.field(1, plaintext) + Wire.field(2, uid)
    }

    static func decrypt(
        _ ciphertext: [UInt8], uid: String = "uid-1", keyID: String = FakeKeyService.keyID,
        annotations: [(String, [UInt8])] = []
    ) -> [UInt8] {
        Wire.field(1, ciphertext) + Wire.field(2, uid) + Wire.field(3, keyID)
            + annotations.flatMap { Wire.field(4, Wire.field(1, $0.0) + Wire.field(2, $0.1)) }
    }

    static func v1(_ bytes: [UInt8], version: String = "v1beta1") -> [UInt8] {
        Wire.field(1, version) + Wire.field(2, bytes)
    }
}
