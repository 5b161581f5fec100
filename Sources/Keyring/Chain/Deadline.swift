/// Waits that end in time, whatever they wait for. A task group or `async let` would wait for the hung call, too.
public enum Deadline {
    /// Runs `body` in a task of its own and waits for its answer, but not longer than until `deadline` or until the
    /// calling task is cancelled.
    ///
    /// - Returns: nil when that came first. `body`'s task is then cancelled and left to itself; its late answer is dropped.
    public static func race<Answer: Sendable>(
        until deadline: ContinuousClock.Instant, _ body: @escaping @Sendable () async -> Answer
    ) async -> Answer? {
        guard ContinuousClock.now < deadline, !Task.isCancelled else { return nil }
        let race = Race<Answer?>()
        let work = Task { race.finish(await body()) }
        let answer = await wait(for: race, until: deadline)
        work.cancel()
        return answer
    }

    /// Waits for an answer that somebody else gives.
    static func wait<Answer: Sendable>(
        for race: Race<Answer?>, until deadline: ContinuousClock.Instant?
    ) async -> Answer? {
        let timer = deadline.map { deadline in
            Task {
                try? await Task.sleep(until: deadline, clock: .continuous)
                race.finish(nil)
            }
        }
        defer { timer?.cancel() }
        return await withTaskCancellationHandler {
            await race.answer()
        } onCancel: {
            race.finish(nil)
        }
    }
}
