internal import Testing

@Suite("Process hardening")
struct ProcessHardeningTests {
    private static let ipcLock: UInt64 = 1 << 14

    @Test("without locked memory being allowed to fail, all of it is locked, or the process refuses")
    func strict() async throws {
        let probe = try await Probe("harden")
        let capabilities = try #require(UInt64(probe["capabilities"], radix: 16))
        let mayLock = probe["lockLimit"] == "unlimited" || capabilities & ProcessHardeningTests.ipcLock != 0
        #expect(probe["result"] == (mayLock ? "hardened" : "refused"))
        if mayLock {
            #expect(probe["memoryLocked"] == "true")
            #expect(probe["heapLocked"] == "true")
            #expect(probe.all("warning") == [])
            let locked = try #require(Int(probe["locked"].prefix { $0 != " " }))
            #expect(locked > 1024)
        }
        #expect(probe["dumpable"] == "0")
        #expect(probe["coreLimit"] == "0 0")
        #expect(probe["brokenPipe"] == "EPIPE")
    }

    @Test("a small limit without CAP_IPC_LOCK is refused before anything is locked, with the way out")
    func refusal() async throws {
        let probe = try await Probe("harden", "--lock-limit", "1048576", "--unprivileged")
        #expect(probe["capabilities"] == "0000000000000000")
        #expect(probe["result"] == "refused")
        #expect(
            probe["message"] == "memory cannot be locked: the limit on locked memory (RLIMIT_MEMLOCK) is 1024 KiB")
        for way in ["LimitMEMLOCK=infinity", "--ulimit memlock=-1:-1", "IPC_LOCK", "server.allowUnlockedMemory: true"] {
            #expect(probe["hint"].contains(way))
        }
        #expect(probe["locked"] == "0 kB")
        // What needs no memory is done all the same.
        #expect(probe["dumpable"] == "0")
        #expect(probe["coreLimit"] == "0 0")
        #expect(probe["brokenPipe"] == "EPIPE")
    }

    @Test("when it is allowed, only the secure heap is locked under a small limit, and later allocations succeed")
    func onlyTheHeap() async throws {
        let probe = try await Probe("harden", "--lock-limit", "1048576", "--unprivileged", "--allow-unlocked")
        #expect(probe["result"] == "hardened")
        #expect(probe["memoryLocked"] == "false")
        #expect(probe["heapLocked"] == "true")
        #expect(probe["locked"] == "256 kB")
        #expect(
            probe.all("warning") == [
                "memory cannot be locked: the limit on locked memory (RLIMIT_MEMLOCK) is 1024 KiB: "
                    + "keep swap off, or encrypted"
            ])
    }

    @Test("when it is allowed, even the secure heap may be unlocked, with a warning")
    func nothingLocked() async throws {
        let probe = try await Probe("harden", "--lock-limit", "0", "--unprivileged", "--allow-unlocked")
        #expect(probe["result"] == "hardened")
        #expect(probe["memoryLocked"] == "false")
        #expect(probe["heapLocked"] == "false")
        #expect(probe.all("warning").count == 2)
        #expect(probe["locked"] == "0 kB")
    }
}
