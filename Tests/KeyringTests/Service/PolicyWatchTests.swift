import Synchronization
import TestSupport
import Testing

@testable import Keyring

@Suite("Looking at policies")
struct PolicyWatchTests {
    private static func recipient(_ name: String) -> Recipient {
        Recipient(id: "tpm:\(name)", kind: "tpm", description: [1])
    }

    private static func report(_ name: String) -> PolicyReport {
        PolicyReport(backend: name, recipientID: "tpm:a", isLocal: true, kind: .literal, bank: "sha256", pcrs: [7])
    }

    @Test("many who look at once, and one after the other, are one question to the device")
    func oneQuestion() async {
        let watch = PolicyWatch()
        let asked = Mutex(0)
        let recipients = [PolicyWatchTests.recipient("a")]
        let ask: @Sendable () async -> [PolicyReport] = {
            asked.withLock { $0 += 1 }
            await Task.yield()
            return [PolicyWatchTests.report("t")]
        }
        await withTaskGroup(of: [PolicyReport].self) { group in
            for _ in 0..<50 { group.addTask { await watch.reports(0, recipients, ask) } }
            for await reports in group { #expect(reports == [PolicyWatchTests.report("t")]) }
        }
        #expect(await watch.reports(0, recipients, ask).count == 1)
        #expect(asked.withLock { $0 } == 1)
        // Another device, and other seals, are other questions.
        _ = await watch.reports(1, recipients, ask)
        _ = await watch.reports(0, recipients + [PolicyWatchTests.recipient("b")], ask)
        #expect(asked.withLock { $0 } == 3)
    }

    @Test("an answer that is no longer fresh is asked for again")
    func freshness() async {
        let watch = PolicyWatch(freshness: .zero)
        let asked = Mutex(0)
        for count in 1...3 {
            _ = await watch.reports(0, [PolicyWatchTests.recipient("a")]) {
                asked.withLock { $0 += 1 }
                return []
            }
            #expect(asked.withLock { $0 } == count)
        }
    }

    @Test("without a policy it is known to be satisfied, with one it is not known until the device has told")
    func unknown() {
        #expect(PolicyReport(backend: "t", recipientID: "r", isLocal: true, kind: .none).isSatisfied == true)
        for kind in PolicyReport.Kind.allCases where kind != .none {
            #expect(PolicyReport(backend: "t", recipientID: "r", isLocal: true, kind: kind).isSatisfied == nil)
        }
    }
}
