import Glibc
import TestSupport
import Testing

@testable import Keyring

/// Directories, files, users and disks that are not as they should be.
@Suite struct StoreSurroundingsTests {
    private static func crasher(_ arguments: [String]) async throws -> ChildProcess.Result {
        try await ChildProcess.run(try Files.executableDirectory() + "/StoreCrasher", arguments)
    }

    private func error(_ path: String, readOnly: Bool = true) -> StoreError? {
        do throws(StoreError) {
            _ = try KeyringStore.open(path, readOnly: readOnly).load()
            return nil
        } catch {
            return error
        }
    }

    private func withKeyring(_ body: (String) async throws -> Void) async throws {
        try await TestScope.with { scope in
            let path = scope.path("keyring")
            let result = try await Self.crasher(["create", path, "0"])
            try #require(result.succeeded, "\(result.text)")
            try await body(path)
        }
    }

    @Test func aMissingDirectorySaysWhatToDo() throws {
        try TemporaryDirectory.with { directory in
            let error = error(directory + "/none")
            #expect(error?.code == .missing)
            #expect(error?.hint == "run trousseau init")
        }
    }

    @Test func linksAndFilesInPlaceOfTheDirectoryAreRefused() async throws {
        try await withKeyring { path in
            symlink(path, path + ".link")
            try Files.write("x", to: path + ".file")
            #expect(error(path + ".link")?.code == .insecure)
            #expect(error(path + ".file")?.code == .insecure)
        }
    }

    @Test(arguments: [0o770, 0o720, 0o702] as [UInt32]) func aDirectoryThatOthersMayWriteIsRefused(
        mode: UInt32
    ) async throws {
        try await withKeyring { path in
            try Files.changeMode(path, to: mode)
            let error = error(path)
            #expect(error?.code == .insecure)
            #expect(error?.hint == "chmod 700 \(path)")
            try Files.changeMode(path, to: 0o700)
            try Files.changeMode(path + "/local", to: mode)
            #expect(try KeyringStore.open(path, readOnly: true).load().damaged.map(\.file) == ["local"])
        }
    }

    @Test func filesThatAreNotFilesAreNamed() async throws {
        try await withKeyring { path in
            let roles = path + "/roles"
            try Files.move(roles, to: path + "/elsewhere")
            func reason() throws -> String? {
                let stored = try KeyringStore.open(path, readOnly: true).load()
                #expect(stored.roles == nil)
                return stored.damaged.first { $0.file == "roles" }?.reason
            }
            symlink("elsewhere", roles)
            #expect(try reason()?.contains("symbolic links are not followed") == true)
            try Files.remove(roles)
            mkfifo(roles, 0o600)
            #expect(try reason()?.contains("not a file") == true)
            try Files.remove(roles)
            try Files.makeDirectory(roles)
            #expect(try reason()?.contains("not a file") == true)
            try Files.remove(roles)
            try Files.write([UInt8](repeating: 10, count: 5000), to: roles)
            #expect(try reason()?.contains("longer than 4096 bytes") == true)
            try Files.remove(roles)
            try Files.move(path + "/elsewhere", to: roles)
            try Files.changeMode(roles, to: 0o660)
            #expect(try reason()?.contains("mode 0660") == true)
        }
    }

    @Test func aDirectoryInPlaceOfAFileIsNotReplaced() async throws {
        try await withKeyring { path in
            try Files.remove(path + "/highest")
            try Files.makeDirectory(path + "/highest")
            let store = try KeyringStore.open(path, readOnly: false)
            #expect(throws: StoreError.self) { try store.writeHighest(7) }
            #expect(try Files.list(path + "/highest").isEmpty)
        }
    }

    @Test func aLinkAsTheLockIsRefused() async throws {
        try await withKeyring { path in
            try Files.remove(path + "/lock")
            symlink("/etc/passwd", path + "/lock")
            #expect(error(path, readOnly: false)?.code == .insecure)
        }
    }

    @Test func aHugeRecordIsNotRead() async throws {
        try await withKeyring { path in
            let name = path + "/9-huge.record"
            try Files.write("", to: name)
            truncate(name, 1 << 40)
            let stored = try KeyringStore.open(path, readOnly: true).load()
            #expect(stored.damaged.first?.reason.contains("longer than 32768 bytes") == true)
            #expect(stored.records.count == 1)
        }
    }

    @Test func anotherProcessHoldsTheLock() async throws {
        try await TestScope.with { scope in
            let path = scope.path("keyring")
            #expect(try await Self.crasher(["create", path, "0"]).succeeded)
            var ends: [Int32] = [0, 0]
            #expect(pipe(&ends) == 0)
            let shell = "exec \"$0\" hold \"$1\" 0 <&3"
            let program = try Files.executableDirectory() + "/StoreCrasher"
            let holder = try scope.start("/bin/sh", ["-c", shell, program, path], descriptors: [ends[0]])
            close(ends[0])
            try await holder.waitForOutput("held", within: .seconds(30))
            let error = error(path, readOnly: false)
            #expect(error?.code == .locked)
            #expect(error?.reason == "in use by process \(holder.pid)")
            #expect(self.error(path) == nil)
            close(ends[1])
            #expect(try await holder.waitForExit(within: .seconds(30)).succeeded)
            #expect(self.error(path, readOnly: false) == nil)
        }
    }

    @Test func aFullDiskChangesNothing() async throws {
        try await withKeyring { path in
            let before = try KeyringStore.open(path, readOnly: true).load()
            // A limit of the file size fails the write as a full disk does: after some bytes.
            let result = try await Self.crasher(["reseal", path, "0", "limit=100"])
            #expect(!result.succeeded)
            #expect(result.errors.contains("nothing was changed"), "\(result.text)")
            #expect(try !Files.list(path).contains { $0.hasPrefix(".") })
            let after = try KeyringStore.open(path, readOnly: true).load()
            #expect(after.damaged.isEmpty)
            #expect(after.records == before.records && after.roles == before.roles)
        }
    }

    @Test func anotherUsersKeyringIsRefusedOrCannotBeReached() async throws {
        try await withKeyring { path in
            // As root, the process becomes another user; otherwise the directory is closed to its owner.
            let isRoot = geteuid() == 0
            if !isRoot { try Files.changeMode(path, to: 0o000) }
            let result = try await Self.crasher(["reseal", path, "0"] + (isRoot ? ["user=65533"] : []))
            #expect(!result.succeeded)
            #expect(result.errors.contains("run as the owner"), "\(result.text)")
            guard isRoot else { return }
            try Files.changeMode(path, to: 0o755)
            try Files.changeMode(String(path.dropLast("/keyring".count)), to: 0o755)
            let other = try await Self.crasher(["read", path, "0", "user=65533"])
            #expect(other.errors.contains("run as user 0"), "\(other.text)")
        }
    }

    @Test func errnoHasAHint() {
        for (code, expected) in [
            (ENOSPC, StoreError.Code.noSpace), (EDQUOT, .noSpace), (EROFS, .readOnly), (EACCES, .notPermitted),
            (ENOENT, .missing), (ELOOP, .insecure), (EIO, .system), (EMFILE, .system),
        ] {
            let error = StoreError("open", "/x", errno: code)
            #expect(error.code == expected)
            #expect(!error.hint.isEmpty && error.description.hasPrefix("/x: open: "))
        }
    }
}
