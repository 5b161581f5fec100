internal import BackendContract
internal import Crypto
internal import Keyring
internal import PKCS11Backend

/// One command of the driver.
struct Command {
    let backend: PKCS11Backend
    let name: String
    let arguments: [String]
    /// Until its deadline.
    let limit: Duration

    func answer() async throws -> [String] {
        let until = ContinuousClock.now + limit
        switch name {
        case "generate", "recipients":
            return try await backend.recipients(generateMissingKey: name == "generate", until: until).map {
                "recipient \($0.id) \(Hex.encode($0.description)) serves=\(backend.serves($0))"
            }
        case "seal":
            let kek = try KEK.generate()
            let recipients = try await backend.recipients(generateMissingKey: false, until: until)
            return try await seals(kek, recipients, until)
        case "unseal":
            let kek = try await backend.unseal(seal(), until: until)
            return ["opened \(Hex.encode(kek.id.bytes))"]
        case "authenticated":
            return ["authenticated \(backend.isAuthenticated(try seal()))"]
        case "unseals":
            return try await unseals(Int(arguments[4]) ?? 0, until)
        case "soak":
            return try await Soak(backend, arguments).run()
        case "vector":
            return try Vector(Main.configuration(), arguments).answer()
        case "tamper":
            return try await tamper(until)
        case "storm":
            return try await storm(Int(arguments[4]) ?? 0, until)
        case "probe":
            try await backend.probe(until: until)
            return ["well"]
        case "diagnose":
            return await backend.diagnose(until: until).map {
                "finding \($0.severity.rawValue) \($0.subject): \($0.detail) (\($0.hint ?? ""))"
            }
        case "contract":
            // Of another token.
            guard arguments.count == 2, let description = Hex.decode(arguments[1]) else { return ["error arguments"] }
            let foreign = Recipient(id: arguments[0], kind: "pkcs11", description: description)
            return await BackendContract.run(backend, foreign: foreign).map { check in
                check.violation.map { "violation \(check.requirement): \($0)" } ?? "kept \(check.requirement)"
            }
        case "shutdown":
            await backend.shutdown(until: until)
            return ["ended"]
        default:
            return ["error unknown command \(name)"]
        }
    }

    private func seals(
        _ kek: KEK, _ recipients: [Recipient], _ until: ContinuousClock.Instant
    ) async throws -> [String] {
        var lines: [String] = []
        for recipient in recipients {
            let seal = try await backend.seal(kek, to: recipient, until: until)
            lines.append(
                "seal \(recipient.id) \(Hex.encode(recipient.description)) \(Hex.encode(kek.id.bytes)) "
                    + Hex.encode(seal.bytes))
        }
        return lines
    }

    /// Arguments: recipient's ID, its description, kekID, seal; the last three in hexadecimal.
    private func seal() throws -> Seal {
        guard arguments.count >= 4, let description = Hex.decode(arguments[1]),
            let kekID = Hex.decode(arguments[2]).flatMap({ KEKID($0) }), let bytes = Hex.decode(arguments[3])
        else { throw CryptoError(.invalidLength, "arguments of the command") }
        return Seal(
            recipient: Recipient(id: arguments[0], kind: "pkcs11", description: description), kekID: kekID,
            bytes: bytes)
    }

    /// Every byte of the seal flipped in turn, and every truncation: counts what opened, by error class.
    private func tamper(_ until: ContinuousClock.Instant) async throws -> [String] {
        let original = try seal()
        var variants: [[UInt8]] = original.bytes.indices.map { index in
            var bytes = original.bytes
            bytes[index] ^= 1
            return bytes
        }
        variants += original.bytes.indices.map { Array(original.bytes[..<$0]) }
        variants.append(original.bytes + [0])
        var outcomes: [String: Int] = [:]
        for bytes in variants {
            do {
                _ = try await backend.unseal(
                    Seal(recipient: original.recipient, kekID: original.kekID, bytes: bytes), until: until)
                outcomes["opened", default: 0] += 1
            } catch {
                outcomes[error.errorClass.rawValue, default: 0] += 1
            }
        }
        return outcomes.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" } + ["variants=\(variants.count)"]
    }

    /// So many unseals, one after the other: counts what opened, by error class.
    private func unseals(_ count: Int, _ until: ContinuousClock.Instant) async throws -> [String] {
        let original = try seal()
        var outcomes: [String: Int] = [:]
        for _ in 0..<count {
            do {
                let kek = try await backend.unseal(original, until: until)
                outcomes[kek.id == original.kekID ? "opened" : "wrong", default: 0] += 1
            } catch {
                outcomes[error.errorClass.rawValue, default: 0] += 1
                // What waits for its backoff fails at once.
                if error.errorClass == .reopen { try await Task.sleep(for: .milliseconds(5)) }
            }
        }
        return outcomes.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
    }

    /// As many unseals at once as asked for; the queue refuses what is too much, and those are asked again.
    private func storm(_ count: Int, _ until: ContinuousClock.Instant) async throws -> [String] {
        let original = try seal()
        let backend = self.backend
        let opened = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<count {
                group.addTask {
                    while true {
                        do throws(SealingError) {
                            return try await backend.unseal(original, until: until).id == original.kekID
                        } catch {
                            guard case .retry = error.errorClass, ContinuousClock.now < until else { return false }
                            await Task.yield()
                        }
                    }
                }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        return ["opened=\(opened)"]
    }
}
