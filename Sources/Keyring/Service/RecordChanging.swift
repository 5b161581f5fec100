internal import Synchronization

extension KeyringService {
    /// Changes the record of an open KEK: on the disk first, then in memory. What etcd is to carry is made anew by
    /// `publish`.
    ///
    /// - Returns: why it was not changed; nil when it was.
    func change(_ kek: OpenedKEK, _ body: (Record) throws(FormatError) -> Record) -> String? {
        let kekID = kek.trusted.identity.kekID
        return changing.withLock { _ -> String? in
            let state = self.state.withLock { $0 }
            guard !state.isShutDown, let record = state.keks[kekID]?.record, let store = store.withLock({ $0 }) else {
                return "the plugin is shutting down"
            }
            do {
                let next = try body(record)
                try KeyringService.checkIsPublishable(next, state)
                try store.writeRecord(next)
                change { $0.keks[kekID]?.record = next }
                return nil
            } catch {
                return "\(error)"
            }
        }
    }

    /// A record that makes the publication too large would block the next start.
    private static func checkIsPublishable(_ next: Record, _ state: ServiceState) throws(FormatError) {
        let kekID = next.identity.kekID
        guard kekID == state.roles.active.kekID || kekID == state.roles.prepared?.kekID, let active = state.activeKEK
        else { return }
        func record(_ id: KEKID) -> Record? { id == kekID ? next : state.keks[id]?.record }
        guard let activeRecord = record(state.roles.active.kekID) else { return }
        _ = try Publication(
            active: activeRecord, prepared: state.roles.prepared.flatMap { record($0.kekID) }, under: active.trusted.kek
        )
    }
}
