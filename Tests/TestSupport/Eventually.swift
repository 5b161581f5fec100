extension Duration {
    /// Rounded down, as poll(2) takes it.
    var wholeMilliseconds: Int32 {
        let (seconds, attoseconds) = components
        return Int32(clamping: seconds * 1000 + attoseconds / 1_000_000_000_000_000)
    }
}

/// Waits until `condition` holds: asks every 20 ms, at most until the deadline. The only place where tests wait without
/// an event to wait for; a test never sleeps for a guessed time.
///
/// - Throws: `TestError` naming `what` when the deadline passes.
public nonisolated(nonsending) func eventually(
    _ what: String, within limit: Duration, _ condition: () async throws -> Bool
) async throws {
    let clock = ContinuousClock()
    let deadline = clock.now + limit
    while true {
        if try await condition() { return }
        guard clock.now < deadline else { throw TestError("not within \(limit): \(what)") }
        try await Task.sleep(for: .milliseconds(20))
    }
}
