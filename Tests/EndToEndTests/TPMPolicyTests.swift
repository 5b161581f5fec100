import Glibc
import TestSupport
import Testing

@Suite("A node with a TPM whose seals want a state", .serialized)
struct TPMPolicyTests {
    @Test("a literal policy: another PCR is refused and named, the HSM opens; reseal seals to what is now")
    func literal() async throws {
        try await TPMNode.withLiteral(beside: [.hsm]) { node, tpm in
            let server = try await node.start()
            try await server.ask("write", ["count": 5])
            try await node.stop()
            try await tpm.extend()

            try await node.serve()
            try await server.ask("boot", ["within": 60])
            #expect(try await server.ask("read")["codes"].counts.keys.sorted() == ["OK"])
            #expect(try await node.status()["keks"].array.map { $0["openedBy"].string } == ["rack-hsm"])
            #expect(try await node.locals().contains { $0.problem.contains("PCR 15") })
            let resealed = try await node.base.run("reseal")
            #expect(resealed.succeeded, "\(resealed.text)")
            try await node.stop()
            try await node.serve()
            try await server.ask("boot", ["within": 60])
            #expect(try await node.status()["keks"].array.map { $0["openedBy"].string } == ["node-tpm"])
        }
    }

    @Test("reseal --pcrs: before the update both states open, after it a reseal leaves the new one alone")
    func foretold() async throws {
        try await TPMNode.withLiteral { node, tpm in
            let next = try await SoftTPM.valueAfter(2, node.base.scope)
            let server = try await node.start()
            try await server.ask("write", ["count": 5])
            for (text, why) in [
                ("sha256:15=00", "the value of PCR 15 is not 64 digits"),
                ("sha1:15=\(next)", "the bank sha1 is not used"),
                ("sha256:15", "no value is given"), ("sha256:24=\(next)", "is no number from 0 to 23"),
            ] {
                let refused = try await node.base.run("reseal", ["--pcrs", text])
                #expect(refused.exit == .code(2) && refused.text.contains(why), "\(refused.text)")
            }
            let other = try await node.base.run("reseal", ["--pcrs", "sha256:7=\(next)"])
            #expect(other.exit == .code(1) && other.output.contains("the policy is over sha256:15"), "\(other.text)")
            #expect(try await node.locals().count == 1)

            let sealed = try await node.base.run("reseal", ["--pcrs", "sha256:15=\(next)"])
            #expect(sealed.succeeded && sealed.output.contains("added"), "\(sealed.text)")
            #expect(try await node.locals().count == 2)
            let policies = try await node.status()["policies"].array
            #expect(policies.allSatisfy { $0["kind"] == "literal" && $0["bank"] == "sha256" && $0["pcrs"] == [15] })
            #expect(TPMNode.satisfied(policies) == [false, true])
            #expect(policies.filter { $0["satisfied"] == false }.map { $0["differing"] } == [[15]])
            let status = try await node.base.run("status")
            #expect(status.output.contains("not satisfied: PCR 15 differs"), "\(status.text)")
            #expect(!status.output.contains("is not satisfied now"), "\(status.text)")

            // The update did not come: the seal to the present state is still there.
            try await node.stop()
            try await node.serve()
            try await server.ask("boot", ["within": 60])
            #expect(try await server.ask("read")["codes"].counts.keys.sorted() == ["OK"])

            // It came.
            try await node.stop()
            try await tpm.extend()
            let files = try await node.status()
            #expect(files["running"] == false)
            #expect(TPMNode.satisfied(files["policies"].array) == [false, true])
            #expect(
                files["policies"].array.count { $0["differing"] == [15] } == 2, "the old local one, and the record's")
            try await node.serve()
            try await server.ask("boot", ["within": 60])
            #expect(try await server.ask("read")["codes"].counts.keys.sorted() == ["OK"])
            #expect(try await node.status()["keks"].array.map { $0["openedBy"].string } == ["node-tpm"])
            let after = try await node.base.run("reseal")
            #expect(after.succeeded && after.output.contains("dropped"), "\(after.text)")
            #expect(after.output.contains("renewed"), "the record's own: \(after.text)")
            #expect(try await node.locals().map(\.state) == ["verified"])

            // On the files, with no plugin.
            try await node.stop()
            let later = try await SoftTPM.valueAfter(3, node.base.scope)
            let onFiles = try await node.base.run("reseal", ["--pcrs", "15=\(later)", "--output", "json"])
            #expect(onFiles.succeeded, "\(onFiles.text)")
            #expect(try JSON(parsing: onFiles.output)["pcrs"].array.map(\.string) == ["15=\(later)"])
            #expect(try await node.status()["policies"].array.count { $0["local"] == true } == 2)
        }
    }

    @Test("a state that was not what the seal wants is looked at again: it opens without a restart")
    func stateComesBack() async throws {
        try await TPMNode.withLiteral { node, tpm in
            let server = try await node.start()
            try await server.ask("write", ["count": 5])
            try await node.stop()
            try await tpm.extend()
            try await node.serve()
            try await eventually("status says which PCR differs", within: .seconds(60)) {
                let status = try await node.base.run("status")
                return status.output.contains("blocked") && status.output.contains("PCR 15 differs")
                    && status.output.contains("the policy literal sha256:15 is not satisfied now")
            }
            try await tpm.losePower()
            _ = try await tpm.attempt("tpm2_startup", ["-c"])
            try await tpm.extend()
            try await server.ask("boot", ["within": 90])
            #expect(try await server.ask("read")["codes"].counts.keys.sorted() == ["OK"])
        }
    }

    @Test("a signed policy: the signature of the booted image is picked up by the running plugin when it comes")
    func newSignature() async throws {
        try await TestScope.with { scope in
            for (image, text) in [("one", "kernel 1"), ("two", "kernel 2")] {
                try Files.write(text, to: scope.path(image))
            }
            let key = scope.path("signer")
            let made = try await ChildProcess.run(
                "/bin/sh",
                ["-c", "openssl genrsa -out \(key).key 2048 && openssl rsa -in \(key).key -pubout -out \(key).pem"],
                within: .seconds(60))
            #expect(made.succeeded, "\(made.text)")
            let policy = """
                policy: {signed: {pcrs: "sha256:11", publicKey: \(key).pem, signatures: \(key).json}}
                """
            try await TPMNode.with(
                [.tpm(policy: policy)],
                prepare: { tpm in
                    try await tpm.boot(scope.path("one"))
                    try await tpm.sign(scope.path("one"), by: key)
                }
            ) { node, tpm in
                let server = try await node.start()
                try await server.ask("write", ["count": 5])
                try await node.stop()
                try await tpm.boot(scope.path("two"))
                try await node.serve()
                try await eventually("status says that there is no signature", within: .seconds(60)) {
                    let status = try await node.base.run("status")
                    return status.output.contains("blocked") && status.output.contains("none for its present value")
                        && status.output.contains("signed sha256:11")
                }
                try await tpm.sign(scope.path("two"), by: key)
                try await server.ask("boot", ["within": 90])
                #expect(try await server.ask("read")["codes"].counts.keys.sorted() == ["OK"])
                // It asks the TPM every few seconds only.
                try await eventually("status shows that it is satisfied", within: .seconds(60)) {
                    TPMNode.satisfied(try await node.status()["policies"].array) == [true]
                }
            }
        }
    }

    @Test("a TPM that is down costs status two seconds, and is shown as that; without a policy it says so")
    func statusWithoutTPM() async throws {
        try await TPMNode.withLiteral { node, tpm in
            _ = try await node.start()
            tpm.send(SIGSTOP)
            let start = ContinuousClock.now
            let status = try await node.base.run("status")
            #expect(ContinuousClock.now - start < .seconds(4))
            tpm.send(SIGCONT)
            #expect(status.succeeded && status.output.contains("not known"), "\(status.text)")
            #expect(status.output.contains("is not known: "), "\(status.text)")
            try await tpm.stop()
            try await eventually("a TPM that does not take connections is told, too", within: .seconds(60)) {
                let policies = try await node.status()["policies"].array
                return policies.count == 2
                    && policies.allSatisfy { $0["satisfied"] == .null && $0["problem"].string.contains("connection") }
            }
        }
        try await TPMNode.with([.tpm()]) { node, _ in
            _ = try await node.start()
            let policies = try await node.status()["policies"].array
            #expect(
                policies.map { $0["kind"] } == ["none", "none"] && policies.map { $0["satisfied"] } == [true, true])
            let status = try await node.base.run("status")
            #expect(status.output.contains("opens whatever was booted"), "\(status.text)")
        }
    }
}
