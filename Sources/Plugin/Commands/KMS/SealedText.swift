internal import Crypto

/// What `kms encrypt` prints and `kms decrypt` takes back.
struct SealedText: Equatable {
    let api: Command.API
    let ciphertext: [UInt8]
    /// Of v2.
    var keyID: String?
    /// Of v2, in the order in which they came.
    var annotations: [Annotation] = []

    struct Annotation: Equatable {
        let name: String
        let value: [UInt8]
    }

    /// A ciphertext has at most 1 kB, annotations 32 kB.
    static let maximumSize = 256 * 1024

    var json: JSONValue {
        .members(
            ("api", .string(api.rawValue)), ("ciphertext", .string(Base64.encode(ciphertext))),
            ("keyID", keyID.map(JSONValue.string)),
            (
                "annotations",
                api == .v1
                    ? nil
                    : .object(
                        annotations.map { JSONValue.Member(name: $0.name, value: .string(Base64.encode($0.value))) })
            ))
    }

    /// Lines of `name: value`. A key_id is escaped as in JSON: it comes from the plugin.
    var text: String {
        var lines = ["api: \(api.rawValue)", "ciphertext: \(Base64.encode(ciphertext))"]
        if let keyID { lines.append("keyID: \(JSONValue.string(keyID).compactText)") }
        lines += annotations.map {
            "annotation \(JSONValue.string($0.name).compactText): \(Base64.encode($0.value))"
        }
        return lines.joined(separator: "\n") + "\n"
    }

    init(api: Command.API, ciphertext: [UInt8], keyID: String? = nil, annotations: [Annotation] = []) {
        self.api = api
        self.ciphertext = ciphertext
        self.keyID = keyID
        self.annotations = annotations
    }

    /// Either form.
    ///
    /// - Throws: `CommandFailure` that says what is missing or cannot be read.
    init(parsing bytes: [UInt8]) throws(CommandFailure) {
        let isJSON = bytes.first { $0 > 0x20 } == UInt8(ascii: "{")
        self = try isJSON ? SealedText.parse(json: bytes) : SealedText.parse(text: bytes)
    }

    private static func failure(_ reason: String) -> CommandFailure {
        CommandFailure(.failure, "kms decrypt: the input is not what kms encrypt printed: \(reason)")
    }

    private static func parse(json bytes: [UInt8]) throws(CommandFailure) -> SealedText {
        let value: JSONValue
        do throws(JSONError) {
            value = try JSONParser.parse(bytes)
        } catch {
            throw failure("no JSON at byte \(error.offset): \(error.reason)")
        }
        var annotations: [Annotation] = []
        if case .object(let members)? = value["annotations"] {
            for member in members {
                annotations.append(Annotation(name: member.name, value: try base64(member.value.string, member.name)))
            }
        }
        return try make(
            api: value["api"]?.string, ciphertext: value["ciphertext"]?.string, keyID: value["keyID"]?.string,
            annotations)
    }

    private static func parse(text bytes: [UInt8]) throws(CommandFailure) -> SealedText {
        var values: [String: String] = [:]
        var annotations: [Annotation] = []
        for line in String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline) {
            // An annotation's name may have colons; its value has none.
            let isAnnotation = line.hasPrefix("annotation ")
            guard let colon = isAnnotation ? line.lastIndex(of: ":") : line.firstIndex(of: ":") else {
                throw failure("a line without a colon")
            }
            let (name, value) = (line[..<colon], line[colon...].dropFirst().drop { $0 == " " })
            if isAnnotation {
                let quoted = name.dropFirst("annotation ".count)
                annotations.append(
                    Annotation(name: try unquoted(quoted), value: try base64(String(value), "annotation")))
            } else {
                values[String(name)] = String(value)
            }
        }
        var keyID: String?
        if let quoted = values["keyID"] { keyID = try unquoted(quoted) }
        return try make(api: values["api"], ciphertext: values["ciphertext"], keyID: keyID, annotations)
    }

    private static func unquoted(_ text: some StringProtocol) throws(CommandFailure) -> String {
        guard let value = (try? JSONParser.parse(Array(text.utf8)))?.string else {
            throw failure("a name without quotes")
        }
        return value
    }

    private static func base64(_ text: String?, _ name: String) throws(CommandFailure) -> [UInt8] {
        guard let text, let bytes = Base64.decode(text) else { throw failure("\(name) is not base64") }
        return bytes
    }

    private static func make(
        api: String?, ciphertext: String?, keyID: String?, _ annotations: [Annotation]
    ) throws(CommandFailure) -> SealedText {
        guard let api = Command.API(rawValue: api ?? "v2") else { throw failure("api is neither v2 nor v1") }
        guard let ciphertext else { throw failure("ciphertext is missing") }
        guard api == .v1 || keyID != nil else { throw failure("keyID is missing") }
        return SealedText(
            api: api, ciphertext: try base64(ciphertext, "ciphertext"), keyID: keyID, annotations: annotations)
    }
}
