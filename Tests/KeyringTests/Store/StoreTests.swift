import Glibc
import TestSupport
import Testing

@testable import Keyring

@Suite struct StoreTests {
    private func make(_ directory: String, keks: [KEK]) throws {
        let store = try KeyringStore.create(directory, keyring: try Sample.keyring())
        for (index, kek) in keks.enumerated() {
            try store.writeRecord(try Sample.record(kek, generation: UInt64(index + 1)))
        }
        let identity = try Sample.identity(keks[0])
        try store.writeRoles(Roles(active: identity, prepared: nil, under: keks[0]))
        try store.writeLocalSeal(Sample.seal(keks[0], to: "tpm:aa"))
        try store.finishCreation()
    }

    private func storeError(_ body: () throws -> Void) -> StoreError? {
        do {
            try body()
            return nil
        } catch {
            return error as? StoreError
        }
    }

    @Test func whatIsWrittenIsLoaded() throws {
        try TemporaryDirectory.with { directory in
            let path = directory + "/deep/keyring"
            let keks = [try Sample.kek(1), try Sample.kek(2)]
            try make(path, keks: keks)
            let store = try KeyringStore.open(path, readOnly: true)
            let stored = try store.load()
            #expect(
                stored.records.map(\.record)
                    == (try keks.enumerated().map {
                        try Sample.record($1, generation: UInt64($0 + 1))
                    }))
            #expect(stored.damaged.isEmpty)
            #expect(stored.highest == 1)
            #expect(stored.localSeals(of: keks[0].id) == [Sample.seal(keks[0], to: "tpm:aa")])
            #expect(stored.roles?.isAuthentic(under: keks[0]) == true)
            #expect(try stored.requireActive().record.record.identity.kekID == keks[0].id)
            #expect(try Files.mode(path) == 0o700 && Files.mode(path + "/local") == 0o700)
            for name in try Files.list(path) where name != "local" {
                #expect(try Files.mode(path + "/" + name) == 0o600)
            }
            #expect(try Files.list(path).contains("init-in-progress") == false)
        }
    }

    @Test func aReadOnlyStoreChangesNothing() throws {
        try TemporaryDirectory.with { directory in
            let path = directory + "/keyring"
            let kek = try Sample.kek(1)
            try make(path, keks: [kek])
            try Files.write("x", to: path + "/.tmp.roles")
            let store = try KeyringStore.open(path, readOnly: true)
            #expect(storeError { try store.writeHighest(3) }?.code == .readOnly)
            #expect(storeError { try store.writeRecord(try Sample.record(kek)) }?.code == .readOnly)
            #expect(Files.exists(path + "/.tmp.roles"))
            _ = try KeyringStore.open(path, readOnly: false)
            #expect(!Files.exists(path + "/.tmp.roles"))
        }
    }

    @Test func onlyOneWriter() throws {
        try TemporaryDirectory.with { directory in
            let path = directory + "/keyring"
            try make(path, keks: [try Sample.kek(1)])
            do {
                let store = try KeyringStore.open(path, readOnly: false)
                let error = storeError { _ = try KeyringStore.open(path, readOnly: false) }
                #expect(error?.code == .locked)
                #expect(error?.reason == "in use by process \(getpid())")
                #expect(throws: Never.self) { try KeyringStore.open(path, readOnly: true) }
                #expect(
                    storeError { _ = try KeyringStore.create(path, keyring: try Sample.keyring()) }?.code == .locked)
                #expect(!store.isReadOnly)
            }
            #expect(throws: Never.self) { try KeyringStore.open(path, readOnly: false) }
        }
    }

    @Test func anExistingKeyringIsRefusedByInit() throws {
        try TemporaryDirectory.with { directory in
            let path = directory + "/keyring"
            try make(path, keks: [try Sample.kek(1)])
            #expect(storeError { _ = try KeyringStore.create(path, keyring: try Sample.keyring()) }?.code == .exists)
            for name in ["1-a.record", "roles", "highest"] {
                let other = directory + "/" + name
                try Files.makeDirectory(other)
                try Files.write("not even readable\n", to: other + "/" + name)
                #expect(
                    storeError { _ = try KeyringStore.create(other, keyring: try Sample.keyring()) }?.code == .exists)
            }
        }
    }

    @Test func anInterruptedInitIsToldAndNeverTakesAnotherKeyringsFiles() throws {
        try TemporaryDirectory.with { directory in
            let path = directory + "/keyring"
            try make(path, keks: [try Sample.kek(1)])
            let other = try KeyringIdentity(keyringID: [UInt8](repeating: 1, count: 16), name: "prod")
            try Files.write(MarkerFile.encode(other.keyringID), to: path + "/init-in-progress")
            let before = try Files.list(path)
            for readOnly in [true, false] {
                #expect(storeError { _ = try KeyringStore.open(path, readOnly: readOnly) }?.code == .interrupted)
            }
            #expect(storeError { _ = try KeyringStore.create(path, keyring: other) }?.code == .exists)
            try Files.write("garbage", to: path + "/init-in-progress")
            #expect(storeError { _ = try KeyringStore.create(path, keyring: other) }?.code == .damaged)
            #expect(try Files.list(path) == before)
            try Files.write(MarkerFile.encode(Sample.keyringID), to: path + "/init-in-progress")
            let store = try KeyringStore.create(path, keyring: other)
            #expect(try store.load().records.isEmpty)
            #expect(storeError { try store.finishCreation() }?.code == .missing)
        }
    }

    @Test func aLowerGenerationThanEverDoesNotStart() throws {
        try TemporaryDirectory.with { directory in
            let path = directory + "/keyring"
            let keks = [try Sample.kek(1), try Sample.kek(2)]
            try make(path, keks: keks)
            let store = try KeyringStore.open(path, readOnly: false)
            let old = try Files.read(path + "/roles")
            try store.writeRoles(
                Roles(active: try Sample.identity(keks[1], generation: 2), prepared: nil, under: keks[1]))
            #expect(try store.load().highest == 2)
            try store.writeHighest(1)
            #expect(try store.load().highest == 2)
            try Files.write(old, to: path + "/roles")
            let error = storeError { _ = try store.load().requireActive() }
            #expect(error?.code == .rollback)
            #expect(error?.description.contains("generation 2") == true)
        }
    }

    @Test func whatAStartTakesIsNamedWhenItIsMissingOrDamaged() throws {
        let kek = try Sample.kek(1)
        for name in ["roles", "highest", RecordFile.name(generation: 1, kek.id)] {
            try TemporaryDirectory.with { directory in
                let path = directory + "/keyring"
                try make(path, keks: [kek])
                let store = try KeyringStore.open(path, readOnly: false)
                try Files.write("nonsense\n", to: path + "/" + name)
                let damaged = storeError { _ = try store.load().requireActive() }
                #expect(damaged?.code == .damaged && damaged?.path == path + "/" + name)
                #expect(try store.load().damaged.map(\.file) == [name])
                try Files.remove(path + "/" + name)
                let missing = storeError { _ = try store.load().requireActive() }
                #expect(missing?.code == .missing && missing?.path == path + "/" + name)
            }
        }
    }

    @Test func damagedFilesAreNamedLeftAloneAndNotOverwritten() throws {
        try TemporaryDirectory.with { directory in
            let path = directory + "/keyring"
            let keks = [try Sample.kek(1), try Sample.kek(2)]
            try make(path, keks: keks)
            let store = try KeyringStore.open(path, readOnly: false)
            let record = try Sample.record(keks[1], generation: 2)
            let name = RecordFile.name(record.identity)
            var bytes = try Files.read(path + "/" + name)
            bytes.removeLast(10)
            try Files.write(bytes, to: path + "/" + name)
            let stored = try store.load()
            #expect(stored.records.count == 1)
            #expect(stored.damaged.map(\.file) == [name])
            let error = storeError { try store.writeRecord(record) }
            #expect(error?.code == .damaged && error?.path == path + "/" + name)
            #expect(try Files.read(path + "/" + name) == bytes)
        }
    }

    @Test func filesOfAnotherNameOrKeyringAreDamaged() throws {
        try TemporaryDirectory.with { directory in
            let path = directory + "/keyring"
            let kek = try Sample.kek(1)
            try make(path, keks: [kek])
            try Files.write(RecordFile.encode(try Sample.record(kek)), to: path + "/2-copy.record")
            let other = try Sample.kek(3)
            let foreign = try Record.make(
                try Sample.identity(other, keyring: try Sample.keyring("other")), kek: other, seals: [], vouchers: [])
            try Files.write(RecordFile.encode(foreign), to: path + "/" + RecordFile.name(foreign.identity))
            let seal = Sample.seal(kek, to: "tpm:bb")
            try Files.write(try LocalSealFile.encode(seal), to: path + "/local/wrong.seal")
            let stored = try KeyringStore.open(path, readOnly: true).load()
            #expect(stored.records.count == 1)
            #expect(
                Set(stored.damaged.map(\.file))
                    == ["2-copy.record", RecordFile.name(foreign.identity), "local/wrong.seal"])
            #expect(stored.damaged.contains { $0.reason.contains("its own name is") })
            #expect(stored.damaged.contains { $0.reason.contains("another keyring (other)") })
        }
    }

    @Test func aSealThatCannotBeStoredIsRefused() throws {
        try TemporaryDirectory.with { directory in
            let path = directory + "/keyring"
            let kek = try Sample.kek(1)
            try make(path, keks: [kek])
            let store = try KeyringStore.open(path, readOnly: false)
            for recipient in [
                Recipient(id: "tpm:../../x", kind: "tpm", description: []),
                Recipient(id: "tpm:a", kind: "tpm", description: [UInt8](repeating: 0, count: 513)),
            ] {
                let seal = Seal(recipient: recipient, kekID: kek.id, bytes: [1])
                #expect(storeError { try store.writeLocalSeal(seal) }?.code == .damaged)
            }
            let huge = Seal(
                recipient: Sample.recipient("tpm:a"), kekID: kek.id, bytes: [UInt8](repeating: 0, count: 16385))
            #expect(storeError { try store.writeLocalSeal(huge) }?.code == .damaged)
            #expect(try Files.list(path + "/local").count == 1)
        }
    }
}
