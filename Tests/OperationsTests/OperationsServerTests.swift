import Glibc
import Operations
import Synchronization
import TestSupport
import Testing

@Suite("The operations server", .serialized)
struct OperationsServerTests {
    private static let loopback = ListeningAddress.ipv4(0x7f00_0001, port: 0)

    private static let pages = [
        Page("/metrics", contentType: Exposition.contentType) { _ in Page.Answer(200, "a 1\n") },
        Page("/readyz") { Page.Answer(503, $0 ? "verbose\n" : "not yet\n") },
    ]

    private static func serving<R>(
        _ pages: [Page] = pages, _ body: (HTTPAddress) throws -> R
    ) throws -> R {
        let server = try OperationsServer(loopback, pages)
        defer { server.stop() }
        guard case .ipv4(_, let port) = server.address else { throw TestError("\(server.address)") }
        return try body(.port(port))
    }

    @Test("shows its pages, with their status and type")
    func pages() throws {
        try OperationsServerTests.serving { (address) throws in
            let metrics = try HTTPResponse.get("/metrics", address)
            #expect(metrics.status == 200 && metrics.body == "a 1\n")
            #expect(metrics.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
            #expect(metrics.headers["connection"]?.lowercased() == "close")
            let ready = try HTTPResponse.get("/readyz", address)
            #expect(ready.status == 503 && ready.body == "not yet\n")
            for query in ["verbose", "verbose=1", "a=b&verbose"] {
                #expect(try HTTPResponse.get("/readyz?\(query)", address).body == "verbose\n")
            }
            #expect(try HTTPResponse.get("/readyz?quiet", address).body == "not yet\n")
            let head = try HTTPResponse.get("/metrics", address, method: "HEAD")
            #expect(head.status == 200 && head.body.isEmpty && head.headers["content-length"] == "4")
        }
    }

    @Test("has nothing else", arguments: ["/", "/metrics/", "/Metrics", "/../metrics", "//metrics"])
    func others(_ path: String) throws {
        try OperationsServerTests.serving { (address) throws in
            #expect(try HTTPResponse.get(path, address).status == 404)
        }
    }

    @Test("takes GET and HEAD only", arguments: ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "get"])
    func methods(_ method: String) throws {
        try OperationsServerTests.serving { (address) throws in
            let answer = try HTTPResponse.get("/metrics", address, method: method)
            #expect(answer.status == 405 && answer.headers["allow"] == "GET, HEAD")
        }
    }

    @Test(
        "takes no request body, and nothing that would follow it",
        arguments: ["Content-Length: 5", "Transfer-Encoding: chunked", "Content-Length: 99999999999"])
    func bodies(_ header: String) throws {
        try OperationsServerTests.serving { (address) throws in
            let answer = try HTTPResponse.to("GET /metrics HTTP/1.1\r\nHost: x\r\n\(header)\r\n\r\n", address)
            #expect(answer.status == 400)
        }
    }

    @Test("answers one request a connection: what follows is not looked at")
    func pipelining() throws {
        let calls = Mutex(0)
        let page = Page("/a") { _ in
            calls.withLock { $0 += 1 }
            return Page.Answer(200, "a")
        }
        try OperationsServerTests.serving([page]) { (address) throws in
            let request = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
            #expect(try HTTPResponse.to(request + request, address).body == "a")
        }
        #expect(calls.withLock { $0 } == 1)
    }

    @Test("refuses headers that are larger than its memory, and goes on")
    func largeRequests() throws {
        try OperationsServerTests.serving { (address) throws in
            let large = String(repeating: "x", count: 20_000)
            // The connection may be cut before all of it was sent.
            let answer = try? HTTPResponse.to("GET /metrics HTTP/1.1\r\nHost: x\r\nA: \(large)\r\n\r\n", address)
            #expect(answer.map { (400...499).contains($0.status) } ?? true)
            #expect(try HTTPResponse.get("/metrics", address).status == 200)
        }
    }

    @Test("lets silent connections wait for their end, and serves others meanwhile and after them")
    func silentConnections() throws {
        try OperationsServerTests.serving { (address) throws in
            let few = try (0..<8).map { _ in try address.connect() }
            #expect(try HTTPResponse.get("/metrics", address).status == 200)
            let more = try (0..<12).map { _ in try address.connect() }
            defer { for file in few + more { close(file) } }
            // The limit is reached; the timeout of those that say nothing makes room.
            #expect(try HTTPResponse.get("/metrics", address).status == 200)
        }
    }

    @Test("does not wait for clients when it stops")
    func stop() throws {
        let server = try OperationsServer(OperationsServerTests.loopback, OperationsServerTests.pages)
        guard case .ipv4(_, let port) = server.address else { return }
        let file = try HTTPAddress.port(port).connect()
        defer { close(file) }
        let start = ContinuousClock.now
        server.stop()
        server.stop()
        #expect(ContinuousClock.now - start < .seconds(4))
        #expect(throws: TestError.self) { try HTTPAddress.port(port).connect() }
    }

    @Test("listens on a Unix socket that others cannot open, and replaces a stale one")
    func unixSocket() async throws {
        try await TestScope.with { scope in
            let path = scope.path("metrics.sock")
            close(try UnixConnection.listen(at: path))
            let server = try OperationsServer(.unix(path), OperationsServerTests.pages)
            #expect(try Files.mode(path) == 0o660)
            #expect(try HTTPResponse.get("/metrics", .unix(path)).body == "a 1\n")
            #expect(throws: OperationsError.self) { try OperationsServer(.unix(path), []) }
            #expect(try HTTPResponse.get("/metrics", .unix(path)).status == 200)
            server.stop()
            #expect(!Files.exists(path))
        }
    }

    @Test("wants a folder in which nobody else can put a socket or a link of his own")
    func folder() async throws {
        try await TestScope.with { scope in
            try Files.makeDirectory(scope.path("open"), mode: 0o777)
            try Files.changeMode(scope.path("open"), to: 0o777)
            let path = scope.path("open/metrics.sock")
            let error = #expect(throws: OperationsError.self) { try OperationsServer(.unix(path), []) }
            #expect(error?.subject == scope.path("open") && error?.hint.hasPrefix("chmod go-w") == true)
            #expect(try Files.list(scope.path("open")).isEmpty)
            // As /tmp is: everybody may write, and nobody can take away what is another's.
            try Files.changeMode(scope.path("open"), to: 0o1777)
            try OperationsServer(.unix(path), []).stop()
        }
    }

    @Test("does not wait for who listens and accepts nothing, and leaves him his socket")
    func fullBacklog() async throws {
        try await TestScope.with { scope in
            let path = scope.path("busy.sock")
            let listener = try UnixConnection.listen(at: path)
            defer { close(listener) }
            let waiting = try UnixConnection.fillBacklog(of: path)
            defer { for file in waiting { close(file) } }
            #expect(throws: OperationsError.self) { try OperationsServer(.unix(path), []) }
            #expect(Files.exists(path))
        }
    }

    @Test("takes away its own socket only")
    func successor() async throws {
        try await TestScope.with { scope in
            let path = scope.path("metrics.sock")
            let server = try OperationsServer(.unix(path), OperationsServerTests.pages)
            try Files.remove(path)
            let next = try OperationsServer(.unix(path), OperationsServerTests.pages)
            server.stop()
            #expect(try HTTPResponse.get("/metrics", .unix(path)).status == 200)
            next.stop()
            #expect(!Files.exists(path))
        }
    }

    @Test("leaves alone what is not its own")
    func occupied() async throws {
        try await TestScope.with { scope in
            let path = scope.path("file")
            try Files.write("precious", to: path)
            #expect(throws: OperationsError.self) { try OperationsServer(.unix(path), []) }
            #expect(try Files.readText(path) == "precious")
        }
        let first = try OperationsServer(OperationsServerTests.loopback, [])
        defer { first.stop() }
        do throws(OperationsError) {
            _ = try OperationsServer(first.address, [])
            Issue.record("two servers have one address")
        } catch {
            #expect(error.subject == "\(first.address)" && error.hint.contains("metrics.listen"))
        }
    }

    @Test("has IPv6's loopback, too")
    func ipv6() throws {
        let server = try OperationsServer(.ipv6Loopback(port: 0), [])
        guard case .ipv6Loopback(let port) = server.address else { return }
        #expect(port != 0 && "\(server.address)" == "[::1]:\(port)")
        server.stop()
    }
}
