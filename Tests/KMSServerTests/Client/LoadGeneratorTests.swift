import TestSupport
import Testing

@testable import KMSServer

@Suite("The load generator and a foreign plugin", .serialized)
struct LoadGeneratorTests {
    /// Runs it and returns what it counted and how long it took.
    private func run(
        _ behaviour: String, _ method: LoadOperation.Method, concurrency: Int = 8, connections: Int = 3,
        duration: Duration = .milliseconds(400), timeout: Duration = .seconds(20)
    ) async throws -> (LoadResult, Duration) {
        try await TestScope.with { scope in
            let plugin = try await ForeignPlugin.start(behaviour, in: scope)
            let generator = try LoadGenerator(
                try LoadOperation(method, socket: plugin.socket, timeout: timeout), socket: plugin.socket,
                concurrency: concurrency, connections: connections, timeout: timeout)
            let begin = ContinuousClock.now
            return (generator.run(for: duration), ContinuousClock.now - begin)
        }
    }

    @Test("work on every operation without an error", arguments: LoadOperation.Method.allCases)
    func operations(_ method: LoadOperation.Method) async throws {
        let (result, elapsed) = try await run("right", method)
        #expect(result.errors == 0, "\(result.sampleError ?? "")")
        #expect(result.calls > 8)
        #expect(result.latencies.count == UInt64(result.calls))
        #expect(result.duration >= .milliseconds(400) && result.duration <= elapsed)
        // With eight calls at any time, the answers' times add up to the run's, eight times.
        #expect(result.latencies.quantile(0.5) * result.calls < result.duration * 17)
        #expect(result.latencies.quantile(0.5) > .zero)
    }

    @Test("see a wrong plaintext that comes later, and do not ask as fast as they can after it")
    func wrongPlaintext() async throws {
        let (result, _) = try await run("wrong-later", .decrypt)
        #expect(result.calls == 0)
        #expect(result.sampleError == "a wrong plaintext came back")
        // Eight calls, and each of them again every 50 ms: 8 × 9 at most, with one more for a slow end.
        #expect(result.errors >= 8 && result.errors <= 8 * 10)
    }

    @Test("see a wrong plaintext before a run")
    func wrongAtOnce() async throws {
        try await TestScope.with { scope in
            let plugin = try await ForeignPlugin.start("wrong-plaintext", in: scope)
            let error = #expect(throws: ClientError.self) {
                _ = try LoadOperation(.decrypt, socket: plugin.socket, timeout: .seconds(20))
            }
            #expect(error?.code == .invalidAnswer)
        }
    }

    @Test("end when the plugin dies in the middle")
    func death() async throws {
        let (result, elapsed) = try await run("exit-later", .decrypt, duration: .seconds(1))
        #expect(result.errors > 0 && result.sampleError != nil)
        // 20 lots of eight calls, three connections each of which is tried again 20 times.
        #expect(result.errors < 400)
        #expect(result.calls < 50)
        #expect(elapsed < .seconds(15))
    }

    @Test("end when the plugin hangs in the middle")
    func hang() async throws {
        let (result, elapsed) = try await run("hang-later", .decrypt, duration: .seconds(1), timeout: .seconds(2))
        #expect(result.errors == 8)
        #expect(result.sampleError?.hasPrefix("DEADLINE_EXCEEDED") == true)
        #expect(elapsed < .seconds(15))
    }

    @Test("connect again when the plugin closes connections")
    func reconnection() async throws {
        let (result, _) = try await run("short-connections", .status, duration: .seconds(2))
        #expect(result.calls > 100)
        // Whatever was in flight when a connection ended; then it goes on over a new one.
        #expect(result.errors < result.calls)
    }

    @Test("keep as many calls in flight as they are told")
    func concurrency() async throws {
        try await TestScope.with { scope in
            let plugin = try await ForeignPlugin.start("counting", in: scope)
            let generator = try LoadGenerator(
                try LoadOperation(.status, socket: plugin.socket, timeout: .seconds(20)), socket: plugin.socket,
                concurrency: 5, connections: 4, timeout: .seconds(20))
            #expect(generator.run(for: .milliseconds(500)).errors == 0)
            let client = try KMSClient(socket: plugin.socket, timeout: .seconds(20))
            // The plugin tells in healthz how many calls it had at once at most.
            #expect(try client.status().healthz == "5 at once")
        }
    }
}
