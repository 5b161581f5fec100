internal import Synchronization

/// By which sealing keys the backends are known.
extension KeyringService {
    /// The pins, unless there are none that the active KEK made.
    func pins(_ active: OpenedKEK) -> Pins? {
        guard let pins = state.withLock({ $0.pins }), pins.isAuthentic(under: active.trusted.kek) else { return nil }
        return pins
    }

    /// Changes what some backends are known by: on the disk first, then in memory. Others stay as they are, those that
    /// are not configured too: a line that comes back must not be trusted anew.
    ///
    /// - Returns: why it was not changed; nil when it was.
    func pin(_ changed: [Pins.Entry], _ active: OpenedKEK) -> String? {
        changing.withLock { _ -> String? in
            guard let store = store.withLock({ $0 }) else { return "the plugin is shutting down" }
            let old = pins(active)?.entries ?? []
            let names = Set(changed.map(\.backend))
            let kept = old.filter { !names.contains($0.backend) }
            do {
                let pins = try Pins(active.trusted.identity, kept + changed, under: active.trusted.kek)
                guard pins.entries != old else { return nil }
                try store.writePins(pins)
                state.withLock { $0.pins = pins }
                return nil
            } catch {
                return "\(error)"
            }
        }
    }

    /// The active record's recipients of a kind that nobody else accounts for: one of them may be what this backend's
    /// sealing key was before.
    ///
    /// - Parameter others: the recipients that other backends have.
    func orphans(_ record: Record, kind: String, besides others: (Recipient) -> Bool) -> [String] {
        record.liveSeals.map(\.recipient).filter { $0.kind == kind && !others($0) }.map(\.id)
    }
}
