internal import CKMSProto
internal import Crypto
internal import Keyring

/// What the methods of both KMS APIs share. Used on the queue's thread only.
final class KMSMethods {
    let service: any KeyService
    let log: Log
    let arena = MessageArena()
    private var answers: PublicationAnswers?

    init(_ service: any KeyService, log: Log) {
        self.service = service
        self.log = log
    }

    /// The answers for a publication, encoded again only when it has changed.
    func answers(for publication: CurrentPublication) -> PublicationAnswers {
        if let answers, answers.publication === publication { return answers }
        let new = PublicationAnswers(publication)
        answers = new
        return new
    }

    /// Takes a request apart, checks it, and answers it.
    ///
    /// - Parameters:
    ///   - unpack: protobuf-c's function for the message's type.
    ///   - uid: what the request calls itself, for the log.
    ///   - check: what has to be so before the keyring sees it.
    // In its caller, where the message's type is known.
    @inline(__always)
    func handle<Message>(
        _ method: String, _ bytes: UnsafeRawBufferPointer,
        unpack: (UnsafeMutablePointer<ProtobufCAllocator>?, Int, UnsafePointer<UInt8>?) -> UnsafeMutablePointer<
            Message
        >?,
        uid: (Message) -> UnsafeRawBufferPointer?,
        check: (UnsafeMutablePointer<Message>) throws(RequestError) -> Void,
        answer: (Message) throws(ServiceError) -> Reply
    ) -> Reply {
        arena.lend { allocator in
            guard let message = unpack(allocator, bytes.count, bytes.bindMemory(to: UInt8.self).baseAddress) else {
                return malformed(method)
            }
            do throws(RequestError) {
                try check(message)
            } catch {
                return refused(method, error)
            }
            do throws(ServiceError) {
                return try answer(message.pointee)
            } catch {
                return failed(method, error, uid: uid(message.pointee))
            }
        }
    }

    /// A request of the API server that cannot be taken apart.
    func malformed(_ method: String) -> Reply {
        log(.info, "request refused", ("method", method), ("error", "malformed message"))
        return .failure(.invalidArgument, "malformed \(method) request")
    }

    /// One that breaks a rule; its uid may be what does.
    private func refused(_ method: String, _ error: RequestError) -> Reply {
        log(.info, "request refused", ("method", method), ("error", error.text))
        return .failure(.invalidArgument, error.text)
    }

    func failed(_ method: String, _ error: ServiceError, uid: UnsafeRawBufferPointer?) -> Reply {
        KMSMethods.failed(method, error, uid: KMSMethods.text(uid), log)
    }

    static func failed(_ method: String, _ error: ServiceError, uid: String, _ log: Log) -> Reply {
        let code = StatusCode(error.code)
        log(
            .warning, "request failed", ("method", method), ("uid", uid), ("code", code.name),
            ("error", Reply.bounded(error.message)))
        return .failure(code, error.message)
    }

    /// Decrypts a ciphertext, at once or later. Both APIs answer with the plaintext as field 1.
    func decrypt(
        _ method: String, _ ciphertext: UnsafeRawBufferPointer, keyID: UnsafeRawBufferPointer?, api: KMSAPI,
        uid: UnsafeRawBufferPointer?
    ) throws(ServiceError) -> Reply {
        switch try service.decrypt(ciphertext, keyID: keyID, api: api) {
        case .plaintext(let plaintext): return KMSMethods.reply(plaintext)
        case .cold(let cold):
            let (service, log, uid) = (service, log, KMSMethods.text(uid))
            return .later { deadline in
                do throws(ServiceError) {
                    return KMSMethods.reply(try await service.decrypt(cold, until: deadline))
                } catch {
                    return KMSMethods.failed(method, error, uid: uid, log)
                }
            }
        }
    }

    private static func reply(_ plaintext: Plaintext) -> Reply {
        plaintext.bytes.withUnsafeBytes { bytes in
            let slice = Slice(secretCount: FieldWriter.size(bytes.count)) { memory in
                var writer = FieldWriter(memory)
                writer.field(1, bytes)
            }
            return .message(ByteBuffer(slice))
        }
    }

    /// A uid as the log shows it: at most 64 bytes.
    private static func text(_ uid: UnsafeRawBufferPointer?) -> String {
        guard let uid, !uid.isEmpty else { return "-" }
        return String(decoding: uid.prefix(64), as: UTF8.self)
    }
}
