/// What kube-apiserver checks in a plugin's answers (k8s.io/apiserver, `envelope/kmsv2` and `envelope`). Each function
/// returns one sentence a violation.
enum ContractRules {
    /// In bytes.
    static let maximumKeyID = 1024
    /// Of v2, in bytes.
    static let maximumCiphertext = 1024
    /// All keys and values, in bytes.
    static let maximumAnnotations = 32 * 1024
    /// Of v1beta1, in bytes: its length is stored in two bytes.
    static let maximumCipher = 65535

    static func status(version: String, keyID: String) -> [String] {
        var violations: [String] = []
        if version != "v2" && version != "v2beta1" {
            violations.append("the version is \(PeerText.quoted(version)) instead of v2")
        }
        return violations + self.keyID(keyID)
    }

    static func encrypt(ciphertext: [UInt8], keyID: String, annotations: [KMSAnnotation]) -> [String] {
        var violations: [String] = []
        if ciphertext.isEmpty { violations.append("the ciphertext is empty") }
        if ciphertext.count > maximumCiphertext {
            violations.append("the ciphertext has \(ciphertext.count) bytes, at most \(maximumCiphertext) are allowed")
        }
        violations += self.keyID(keyID)
        let size = annotations.reduce(0) { $0 + $1.key.utf8.count + $1.value.count }
        if size > maximumAnnotations {
            violations.append("the annotations have \(size) bytes, at most \(maximumAnnotations) are allowed")
        }
        violations += annotations.filter { !isDomainName($0.key) }.map {
            "the annotation key \(PeerText.quoted($0.key)) is not a lower-case domain name of at least two labels"
        }
        return violations
    }

    static func version(_ version: String) -> [String] {
        version == "v1beta1" ? [] : ["the version is \(PeerText.quoted(version)) instead of v1beta1"]
    }

    static func v1Encrypt(cipher: [UInt8]) -> [String] {
        if cipher.isEmpty { return ["the cipher is empty"] }
        guard cipher.count > maximumCipher else { return [] }
        return ["the cipher has \(cipher.count) bytes, at most \(maximumCipher) are allowed"]
    }

    /// gRPC for Go refuses a message with a string that is not UTF-8.
    static func texts(_ texts: [UnsafeRawBufferPointer]) -> [String] {
        texts.allSatisfy { String(validating: $0, as: UTF8.self) != nil } ? [] : ["a text is not UTF-8"]
    }

    private static func keyID(_ keyID: String) -> [String] {
        if keyID.isEmpty { return ["key_id is empty"] }
        guard keyID.utf8.count > maximumKeyID else { return [] }
        return ["key_id has \(keyID.utf8.count) bytes, at most \(maximumKeyID) are allowed"]
    }

    /// A fully qualified domain name as apimachinery's `IsFullyQualifiedDomainName` has it: RFC 1123 labels of at most
    /// 63 bytes, at least two, 253 bytes in all; a final dot is allowed.
    static func isDomainName(_ text: String) -> Bool {
        var name = Array(text.utf8)
        if name.last == UInt8(ascii: ".") { name.removeLast() }
        let labels = name.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        return name.count <= 253 && labels.count >= 2 && labels.allSatisfy(isLabel)
    }

    private static func isLabel(_ label: ArraySlice<UInt8>) -> Bool {
        guard let first = label.first, let last = label.last, label.count <= 63 else { return false }
        return isLetterOrDigit(first) && isLetterOrDigit(last)
            && label.allSatisfy { isLetterOrDigit($0) || $0 == UInt8(ascii: "-") }
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte
    }
}
