internal import Synchronization

/// What etcd is to carry, and what the files say.
extension KeyringService {
    /// Makes the publication of the active KEK and of the prepared one, if it opens here; Encrypt and Status answer with
    /// it from now on.
    ///
    /// - Returns: false when there is none; the state then says why.
    func publish() -> Bool {
        let made = change { state -> Result<Publication, FormatError>? in
            guard let kek = state.activeKEK, let record = state.keks[state.roles.active.kekID]?.record else {
                return nil
            }
            let prepared = state.roles.prepared.flatMap { state.keks[$0.kekID] }.flatMap {
                $0.opened == nil ? nil : $0.record
            }
            let result = KeyringService.publication(of: record, prepared, under: kek.trusted.kek)
            if case .success(let publication) = result { state.publish(publication, under: kek) }
            return result
        }
        switch made {
        case .success(let publication):
            if publication.encoded.count > Publication.warningSize {
                log(
                    .warning, "every object in etcd carries a large publication",
                    ("bytes", "\(publication.encoded.count)"))
            }
            enter(KeyringState(.serving))
            return true
        case .failure(let error):
            log(.error, "the publication cannot be made", ("reason", "\(error)"))
            if state.withLock({ $0.active }) == nil {
                enter(KeyringState(.blocked, reason: "\(error)", hint: "remove a recipient or the prepared KEK"))
            }
            return false
        case nil:
            return false
        }
    }

    private static func publication(
        of active: Record, _ prepared: Record?, under kek: KEK
    ) -> Result<Publication, FormatError> {
        Result { () throws(FormatError) in try Publication(active: active, prepared: prepared, under: kek) }
    }

    /// Reads the files again. The roles count only as long as the active KEK is not open.
    ///
    /// - Returns: why the files do not do.
    func refresh() -> Trouble? {
        do throws(StoreError) {
            guard let store = store.withLock({ $0 }) else { return ServiceState.shutDown }
            let stored = try store.load()
            let roles = try state.withLock({ $0.activeKEK }) == nil ? stored.requireActive().roles : nil
            if let roles, roles.keyring.name != name {
                return Trouble(
                    .failedPrecondition, "the keyring's name has become \"\(roles.keyring.name)\", not \"\(name)\"",
                    hint: "restore the files, or restart with the keyring's own name", .operatorMustAct)
            }
            change { state in
                state.take(stored)
                if let roles, state.activeKEK == nil { state.roles = roles }
            }
            return nil
        } catch {
            return Trouble(error)
        }
    }
}
