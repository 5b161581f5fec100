import Glibc
import TestSupport
import Testing

@testable import Keyring

/// A process that is killed after any step of any change loses nothing: the keyring is as it was or as it was to be.
@Suite struct StoreCrashTests {
    private static func crasher(_ scenario: String, _ directory: String, _ step: Int) async throws
        -> ChildProcess.Result
    {
        try await ChildProcess.run(
            try Files.executableDirectory() + "/StoreCrasher", [scenario, directory, "\(step)"])
    }

    private static func complete(_ scenario: String, _ directory: String) async throws -> Int {
        let result = try await crasher(scenario, directory, 0)
        guard result.succeeded, let count = Int(result.output.split(whereSeparator: \.isWhitespace).last ?? "") else {
            throw TestError(result.text)
        }
        return count
    }

    /// Loads what is left, and opens every KEK of it.
    private func check(_ directory: String) throws -> StoredKeyring {
        let store = try KeyringStore.open(directory, readOnly: false)
        let stored = try store.load()
        #expect(stored.damaged.isEmpty)
        for file in try Files.list(directory) + Files.list(directory + "/local") {
            #expect(!file.hasPrefix("."))
        }
        let (roles, active) = try stored.requireActive()
        #expect(roles.isAuthentic(under: try Sample.open(active.record.liveSeals[0])))
        for stored in stored.records {
            for seal in stored.record.liveSeals {
                let kek = try Sample.open(seal)
                #expect(kek.matches(stored.record.identity.kekID))
                #expect(stored.record.isAuthentic(under: kek))
            }
        }
        for stored in stored.localSeals { #expect(try Sample.open(stored.seal).matches(stored.seal.kekID)) }
        return stored
    }

    /// Runs a scenario to each of its steps, each time on a new keyring, and checks what is left; then runs it again.
    private func killAtEveryStep(
        _ scenario: String, after earlier: [String], _ isAllowed: (StoredKeyring) -> Bool
    ) async throws {
        try await TestScope.with { scope in
            let reference = scope.path("reference")
            for scenario in earlier { _ = try await Self.complete(scenario, reference) }
            let steps = try await Self.complete(scenario, reference)
            #expect(steps > 0)
            for step in 1...steps {
                let directory = scope.path("step\(step)")
                for scenario in earlier { _ = try await Self.complete(scenario, directory) }
                #expect(try await Self.crasher(scenario, directory, step).exit == .signal(SIGKILL))
                let stored = try check(directory)
                #expect(isAllowed(stored), "after step \(step)")
                _ = try await Self.complete(scenario, directory)
                _ = try check(directory)
            }
        }
    }

    @Test func inInitItCanBeDoneAgain() async throws {
        try await TestScope.with { scope in
            let steps = try await Self.complete("create", scope.path("reference"))
            var completed = 0
            for step in 1...steps {
                let directory = scope.path("step\(step)")
                #expect(try await Self.crasher("create", directory, step).exit == .signal(SIGKILL))
                if Files.exists(directory + "/init-in-progress") {
                    // Not even for reading: what is there may be half of a keyring.
                    let result = try await Self.crasher("read", directory, 0)
                    #expect(result.errors.contains("run the same command again"), "after step \(step): \(result.text)")
                } else if Files.exists(directory + "/roles") {
                    completed += 1
                    let result = try await Self.crasher("create", directory, 0)
                    #expect(result.errors.contains("there is a keyring already"), "after step \(step): \(result.text)")
                    #expect(try check(directory).records.count == 1)
                    continue
                }
                _ = try await Self.complete("create", directory)
                let stored = try check(directory)
                #expect(stored.records.count == 1 && stored.localSeals.count == 1)
            }
            // Removing the mark is the last change, and its fsync the last step.
            #expect(completed == 2)
        }
    }

    @Test func inTheReplacementOfARecord() async throws {
        try await killAtEveryStep("reseal", after: ["create"]) { 1...2 ~= $0.records[0].record.liveSeals.count }
    }

    @Test func inReplacingASealingKey() async throws {
        try await killAtEveryStep("replace", after: ["create", "prepare"]) { stored in
            // Each KEK has its old seal, both, or the new one: never none. `check` has opened them.
            stored.records.count == 2
                && stored.records.allSatisfy { stored in
                    [["pkcs11:aa"], ["pkcs11:aa", "pkcs11:bb"], ["pkcs11:bb"]].contains(
                        stored.record.liveSeals.map(\.recipient.id))
                }
        }
    }

    @Test func inPreparingAKEK() async throws {
        try await killAtEveryStep("prepare", after: ["create"]) { stored in
            stored.roles?.active.generation == 1 && stored.records.count <= 2
                && (stored.roles?.prepared == nil || stored.records.count == 2)
        }
    }

    @Test func inMakingAKEKActive() async throws {
        try await killAtEveryStep("activate", after: ["create", "prepare"]) { stored in
            let active = stored.roles?.active.generation ?? 0
            return stored.records.count == 2 && 1...2 ~= active && (stored.highest ?? .max) <= active
        }
    }

    @Test func inWritingALocalSeal() async throws {
        try await killAtEveryStep("localSeal", after: ["create"]) {
            $0.localSeals.count == 1 && [[1], [2]].contains($0.localSeals[0].seal.recipient.description)
        }
    }

    @Test func inReplacingALocalSealByAnother() async throws {
        try await killAtEveryStep("resealLocally", after: ["create"]) { stored in
            // The old one, both, or the new one: never none. `check` has opened them.
            [["tpm:local"], ["tpm:local", "tpm:new"], ["tpm:new"]].contains(
                stored.localSeals.map(\.seal.recipient.id).sorted())
        }
    }

    @Test func inRemovingALocalSeal() async throws {
        try await TestScope.with { scope in
            let directory = scope.path("keyring")
            _ = try await Self.complete("create", directory)
            #expect(try await Self.crasher("removeLocalSeals", directory, 1).exit == .signal(SIGKILL))
            #expect(try check(directory).localSeals.isEmpty)
        }
    }
}
