internal import Glibc
internal import TestSupport
internal import Testing

@Suite("faults at random moments under load", .serialized)
struct SoakTests {
    /// Seconds: TROUSSEAU_SOAK_SECONDS, or 20.
    private static var seconds: Int { variable("TROUSSEAU_SOAK_SECONDS") ?? 20 }
    /// TROUSSEAU_SOAK_SEED, or one of its own each time; a failure shows it.
    private static var seed: Int { variable("TROUSSEAU_SOAK_SEED") ?? Int.random(in: 1...1_000_000) }

    private static func variable(_ name: String) -> Int? { getenv(name).flatMap { Int(String(cString: $0)) } }

    @Test("no wrong answer, no hang, no PIN burnt, no leak, and recovery from each without a restart")
    func soak() async throws {
        let seconds = SoakTests.seconds
        let seed = SoakTests.seed
        try await TestScope.with { scope in
            let service = try await Service.start(scope)
            // What libraries allocate once.
            _ = try await service.driver.ask("soak 3 \(seed)", within: .seconds(60))
            try service.shim.calm()
            try await service.recovers()
            let (memory, descriptors) = (try service.driver.residentMemory, try service.driver.descriptors)

            let answer = try await service.driver.ask("soak \(seconds) \(seed + 1)", within: .seconds(seconds + 60))
            let values = answer.reduce(into: [String: Int]()) { values, line in
                let pair = line.split(separator: "=")
                if pair.count == 2, let value = Int(pair[1]) { values[String(pair[0])] = value }
            }
            let history = Comment(rawValue: "seed \(seed): \(answer.suffix(60).joined(separator: "\n"))")
            #expect(values["wrong"] == 0, history)
            #expect(values["late"] == 0, history)
            #expect(values["unrecovered"] == 0, history)
            #expect((values["faults"] ?? 0) >= seconds / 2, history)
            #expect((values["succeeded"] ?? 0) >= 20 * seconds, history)
            // Sound seals are never given up.
            #expect(values["class-permanent"] ?? 0 == 0, history)

            try service.shim.calm()
            try await service.recovers()
            // Every refusal of a PIN would be one: none was ever sent that the token refused.
            #expect(try Files.list(scope.path("guard")).allSatisfy { !$0.hasSuffix(".pin-guard") })
            #expect(try service.shim.count("open-sessions") <= 5, history)
            // A C_CloseSession that fails leaves one more, until C_Finalize.
            #expect(try service.shim.count("most-sessions") <= 40, history)
            #expect(try service.shim.count("open-finds") == 0, history)
            #expect(try service.shim.count("hanging") == 0, history)
            #expect(try service.driver.descriptors <= descriptors, history)
            // kB; the allocators of six tasks, and of SoftHSM's sessions.
            #expect(try service.driver.residentMemory <= memory + 16_384, history)
            #expect(try await service.driver.ask("shutdown").contains("ended"))
            #expect(try service.shim.count("open-sessions") == 0)
        }
    }
}
