internal import CKMSProto
internal import Keyring

/// `trousseau.control.v1.Control`. What a later version adds to the requests is not for us.
enum ControlMethods {
    static func methods(_ control: any ControlService) -> [Method] {
        let service = "/trousseau.control.v1.Control/"
        return [
            Method(path: service + "Status") { _ in
                // A report may wait for locks, which the thread that answers Encrypt must not.
                .later { deadline in
                    .message(report(await control.report(until: deadline - answerTime)))
                }
            },
            Method(path: service + "Reseal") { bytes in
                guard let options = options(bytes) else {
                    return .failure(.invalidArgument, "malformed Reseal request")
                }
                return .later { deadline in
                    do throws(KeyringError) {
                        return .message(report(try await control.reseal(options, until: deadline - answerTime)))
                    } catch {
                        return .failure(
                            .failedPrecondition, error.hint.map { "\(error.message); \($0)" } ?? error.message)
                    }
                }
            },
            Method(path: service + "Stop") { _ in
                .later { _ in
                    control.requestStop()
                    return .message(ByteBuffer(Slice(count: 0) { _ in }))
                }
            },
        ]
    }

    /// Of a call's time, for its answer to reach the client.
    private static let answerTime = Duration.seconds(1)

    private static func report(_ json: [UInt8]) -> ByteBuffer {
        ByteBuffer(
            Slice(count: FieldWriter.size(json.count)) { memory in
                var writer = FieldWriter(memory)
                writer.field(1, json)
            })
    }

    private static func options(_ bytes: UnsafeRawBufferPointer) -> ResealOptions? {
        let start = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
        guard let message = trousseau_control__reseal_request__unpack(nil, bytes.count, start) else { return nil }
        defer { trousseau_control__reseal_request__free_unpacked(message, nil) }
        let backend = String(validating: message.pointee.backend.bytes, as: UTF8.self)
        guard let backend, let states = states(message) else { return nil }
        return ResealOptions(
            backend: backend.isEmpty ? nil : backend, generateKeys: message.pointee.generate_keys != 0,
            dropReplaced: message.pointee.drop_replaced != 0, expecting: states)
    }

    /// Nil when they are more, or longer, than a client of ours makes them.
    private static func states(
        _ message: UnsafeMutablePointer<TrousseauControl__ResealRequest>
    ) -> [String]? {
        let count = message.pointee.n_pcrs
        guard count <= 8 else { return nil }
        var states: [String] = []
        for index in 0..<count {
            guard let bytes = message.pointee.pcrs?[index].bytes, 1...2048 ~= bytes.count,
                let text = String(validating: bytes, as: UTF8.self)
            else { return nil }
            states.append(text)
        }
        return states
    }
}
