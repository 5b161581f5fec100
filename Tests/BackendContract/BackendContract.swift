public import Keyring

/// What any `SealingBackend` has to do. A backend's tests run it over the backend with its real device, which has one
/// usable sealing key, or may make one. Of a backend that opens nothing, it wants that it does not.
///
/// It asserts nothing by itself, so that it can run where no test framework is, such as in a process of its own.
public struct BackendContract {
    /// What was checked, and what is wrong with it.
    public struct Check: Sendable {
        /// What the backend has to do.
        public let requirement: String
        /// What it did instead; nil when it does it.
        public let violation: String?
    }

    let backend: any SealingBackend
    let kek: KEK
    let recipient: Recipient
    let seal: Seal
    /// How long a call may take.
    static let patience = Duration.seconds(20)

    /// Runs all of it; the backend is shut down at the end.
    ///
    /// - Parameter foreign: a recipient of the same kind whose sealing key is another one.
    public static func run(_ backend: any SealingBackend, foreign: Recipient) async -> [Check] {
        do {
            let kek = try KEK.generate()
            let told = try await backend.recipients(generateMissingKey: true, until: .now + patience)
            guard let recipient = told.first else {
                return [Check(requirement: "it has a recipient", violation: "it has none")]
            }
            let seal = try await backend.seal(kek, to: recipient, until: .now + patience)
            let contract = BackendContract(backend: backend, kek: kek, recipient: recipient, seal: seal)
            return await contract.checks(told, foreign)
        } catch {
            return [Check(requirement: "it seals", violation: "\(error)")]
        }
    }

    private func checks(_ told: [Recipient], _ foreign: Recipient) async -> [Check] {
        var checks: [Check] = []
        func check(_ requirement: String, _ body: () async throws -> String?) async {
            do {
                checks.append(Check(requirement: requirement, violation: try await body()))
            } catch {
                checks.append(Check(requirement: requirement, violation: "it threw \(error)"))
            }
        }
        await check("its recipients and seals are what a record takes") { recordProblem(told) }
        await check("it serves its recipients and nobody else's") { servingProblem(told, foreign) }
        await check("asked again, it tells the same recipients and makes no other key") {
            let again = try await backend.recipients(generateMissingKey: true, until: until)
            return again == told ? nil : "\(again.map(\.id)) instead of \(told.map(\.id))"
        }
        await check("two seals of one KEK are not the same bytes") {
            try await backend.seal(kek, to: recipient, until: until).bytes == seal.bytes ? "they are" : nil
        }
        if backend.hasKeyVersions {
            await check("a seal that was made now is under the newest version of its key") {
                try await backend.refreshed(seal, until: until) == nil ? nil : "it was moved to another one"
            }
        }
        await check("it seals to nobody else") {
            await refusal([.permanent, .operatorMustAct]) { () throws(SealingError) in
                _ = try await backend.seal(kek, to: foreign, until: until)
            }
        }
        if backend.canUnseal {
            await checkOpening(check, foreign)
        } else {
            await check("it opens nothing, and says so for good") {
                await refusal([.permanent]) { () throws(SealingError) in
                    _ = try await backend.unseal(seal, until: until)
                }
            }
        }
        await check("a probe says that it is well") {
            try await backend.probe(until: until)
            return nil
        }
        await check("a deadline that has passed is an error at once") { await deadlineProblem() }
        if backend.canUnseal {
            await check("many calls at once all end, and none with a wrong KEK") { await concurrencyProblem() }
        }
        await check("its diagnosis finds nothing wrong") {
            let findings = await backend.diagnose(until: until)
            let errors = findings.filter { $0.severity == .error }.map { "\($0.subject): \($0.detail)" }
            return findings.isEmpty ? "it finds nothing at all" : errors.isEmpty ? nil : "\(errors)"
        }
        await check("after the shutdown every call is an error") { await shutdownProblem() }
        return checks
    }

    private func checkOpening(
        _ check: (_ requirement: String, _ body: () async throws -> String?) async -> Void, _ foreign: Recipient
    ) async {
        await check("what it seals, it opens") {
            try await backend.unseal(seal, until: until).id == kek.id ? nil : "to another KEK"
        }
        await check("it opens nobody else's seal") {
            await refusal([.permanent, .operatorMustAct]) { () throws(SealingError) in
                let other = Seal(recipient: foreign, kekID: kek.id, bytes: seal.bytes)
                _ = try await backend.unseal(other, until: until)
            }
        }
        await check("a seal that names another KEK does not open to the one it names") { await otherKEKProblem() }
        await check("no altered, cut or longer seal opens") { await tamperingProblem() }
        await check("after all that it still works") {
            try await backend.unseal(seal, until: until).id == kek.id ? nil : "to another KEK"
        }
    }

    var until: ContinuousClock.Instant { .now + BackendContract.patience }

    /// Why `body` was not refused as it should be.
    func refusal(
        _ classes: Set<SealingError.Class>, _ body: () async throws(SealingError) -> Void
    ) async -> String? {
        do throws(SealingError) {
            try await body()
            return "it was not refused"
        } catch {
            guard !classes.contains(error.errorClass) else { return nil }
            return "refused as \(error.errorClass.rawValue): \(error)"
        }
    }
}
