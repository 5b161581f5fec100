import TestSupport
import Testing

@Suite struct ProgramTests {
    @Test func theProgramSaysItsVersion() async throws {
        let result = try await ChildProcess.run(try Program.path, ["version"])
        #expect(result.succeeded)
        #expect(result.output.hasPrefix("trousseau "))
    }
}
