internal import CKMSProto

/// What a request's fields must be before anything else looks at them.
enum RequestRules {
    /// kube-apiserver allows no more in an answer, so it sends no more back (bytes of keys and values together).
    static let annotationBytes = 32 * 1024
    static let annotationCount = 64
    /// The longest DNS name, which an annotation's key is.
    static let annotationKeyBytes = 253

    /// Refuses what is no proto3 string, and NUL, at which C code would cut it off.
    static func checkText(_ bytes: UnsafeRawBufferPointer, _ field: String) throws(RequestError) {
        var isASCII = true
        for byte in bytes {
            if byte == 0 { throw RequestError("\(field) contains a NUL") }
            if byte >= 0x80 { isASCII = false }
        }
        if isASCII { return }
        guard String(validating: bytes, as: UTF8.self) != nil else { throw RequestError("\(field) is not UTF-8") }
    }

    /// Bounds a Decrypt's annotations. Nothing is read from them here.
    static func check(_ message: UnsafeMutablePointer<KmsV2__DecryptRequest>) throws(RequestError) {
        let count = message.pointee.n_annotations
        guard count > 0 else { return }
        guard count <= annotationCount else { throw RequestError("more than \(annotationCount) annotations") }
        var bytes = 0
        for index in 0..<count {
            guard let annotation = message.pointee.annotations?[index]?.pointee else { continue }
            try checkKey(annotation.key.bytes)
            bytes += annotation.key.len + annotation.value.len
        }
        guard bytes <= annotationBytes else { throw RequestError("more than \(annotationBytes) bytes of annotations") }
    }

    /// A lower-case DNS name of at least two labels (RFC 1123), as kube-apiserver demands of what Encrypt answers.
    private static func checkKey(_ key: UnsafeRawBufferPointer) throws(RequestError) {
        var labels = 1
        var last = UInt8(ascii: ".")
        var isName = 1...annotationKeyBytes ~= key.count
        for byte in key where isName {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): break
            case UInt8(ascii: "-"): isName = last != UInt8(ascii: ".")
            case UInt8(ascii: "."):
                isName = last != UInt8(ascii: ".") && last != UInt8(ascii: "-")
                labels += 1
            default: isName = false
            }
            last = byte
        }
        guard isName, labels > 1, last != UInt8(ascii: "."), last != UInt8(ascii: "-") else {
            throw RequestError("an annotation's key is no lower-case DNS name")
        }
    }
}
