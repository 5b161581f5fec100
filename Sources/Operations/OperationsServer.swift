internal import CMicrohttpd
internal import Glibc
internal import Synchronization

/// Shows pages by HTTP, on a thread of its own: libmicrohttpd, held short. GET and HEAD only, no request bodies, a
/// connection for each request.
public final class OperationsServer: Sendable {
    /// Further ones wait in the kernel's backlog.
    private static let maximumConnections: UInt32 = 16
    /// Bytes for a request's line and headers, and for the answer's headers.
    private static let connectionMemory = 16 * 1024
    /// Without a sign of the client.
    private static let timeoutSeconds: UInt32 = 5

    private struct Daemon: @unchecked Sendable {
        // Sendable: used under the lock only, and libmicrohttpd's functions are for any thread.
        let library: trousseau_mhd
        let raw: OpaquePointer
    }

    /// Where it listens, with the port that it got.
    public let address: ListeningAddress
    private let file: SocketFile?
    private let site: Site
    private let daemon: Mutex<Daemon?>

    /// Loads libmicrohttpd and listens: connections are accepted when it returns. Signals that the calling thread
    /// blocks are blocked in the server's, too.
    public init(_ address: ListeningAddress, _ pages: [Page]) throws(OperationsError) {
        var library = trousseau_mhd()
        if let error = trousseau_mhd_load(&library) {
            throw OperationsError(
                "libmicrohttpd", String(cString: error), hint: "install libmicrohttpd12, or leave metrics away")
        }
        let socket = try ListeningSocket(address)
        self.address = socket.address
        file = socket.file
        site = Site(pages, library)
        let raw = trousseau_mhd_start(
            &library, socket.descriptor, OperationsServer.maximumConnections, OperationsServer.connectionMemory,
            OperationsServer.timeoutSeconds, OperationsServer.answer, Unmanaged.passUnretained(site).toOpaque())
        guard let raw else {
            // The descriptor is left to its fate: whether libmicrohttpd has closed it depends on where it failed.
            socket.file?.remove()
            daemon = Mutex(nil)
            throw OperationsError(
                "\(address)", "libmicrohttpd did not start", hint: "raise the limits of threads and open files")
        }
        daemon = Mutex(Daemon(library: library, raw: raw))
    }

    deinit { stop() }

    /// Closes the socket and all connections and ends the thread; does not wait for clients.
    public func stop() {
        guard let daemon = daemon.withLock({ $0.take() }) else { return }
        // First of all: once nobody listens, a successor would take the file for a stale one and put its own there.
        file?.remove()
        daemon.library.stop(daemon.raw)
    }

    /// What the daemon's thread needs; lives as long as the daemon.
    private final class Site: @unchecked Sendable {
        // Sendable: nothing in it changes.
        let pages: [Page]
        let library: trousseau_mhd

        init(_ pages: [Page], _ library: trousseau_mhd) {
            self.pages = pages
            self.library = library
        }

        func reply(_ connection: OpaquePointer, path: String, method: String) -> MHD_Result {
            guard method == "GET" || method == "HEAD" else {
                return send(connection, Page.Answer(405, "only GET and HEAD\n"), allow: "GET, HEAD")
            }
            if hasBody(connection) { return send(connection, Page.Answer(400, "a request has no body here\n")) }
            guard let page = pages.first(where: { $0.path == path }) else {
                let known = pages.map(\.path).joined(separator: ", ")
                return send(connection, Page.Answer(404, "no such page; there are: \(known)\n"))
            }
            let isVerbose = value(connection, .GET_ARGUMENT_KIND, "verbose") != nil
            return send(connection, page.answer(isVerbose), contentType: page.contentType)
        }

        private func hasBody(_ connection: OpaquePointer) -> Bool {
            if value(connection, .HEADER_KIND, "Transfer-Encoding") != nil { return true }
            guard let length = value(connection, .HEADER_KIND, "Content-Length") else { return false }
            return length != "0"
        }

        /// Nil when there is none; empty when it has no value.
        private func value(_ connection: OpaquePointer, _ kind: MHD_ValueKind, _ name: String) -> String? {
            var value: UnsafePointer<CChar>?
            var size = 0
            guard library.lookup(connection, kind, name, name.utf8.count, &value, &size) == .YES else { return nil }
            return value.map { String(cString: $0) } ?? ""
        }

        private func send(
            _ connection: OpaquePointer, _ answer: Page.Answer, contentType: String = Page.plainText,
            allow: String? = nil
        ) -> MHD_Result {
            var bytes = Array(answer.text.utf8)
            guard let response = library.make_response(bytes.count, &bytes, .RESPMEM_MUST_COPY) else {
                return .NO
            }
            defer { library.destroy_response(response) }
            var headers = [
                ("Content-Type", contentType), ("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"),
                // Nothing that follows a request on its connection is ever looked at.
                ("Connection", "close"),
            ]
            if let allow { headers.append(("Allow", allow)) }
            for (name, value) in headers where library.add_header(response, name, value) != .YES { return .NO }
            return library.queue_response(connection, answer.status, response)
        }
    }

    /// Answers when the headers are there: libmicrohttpd would read a body first, and discard it.
    private static let answer: MHD_AccessHandlerCallback = { context, connection, url, method, _, _, _, _ in
        guard let context, let connection, let url, let method else { return .NO }
        let site = Unmanaged<Site>.fromOpaque(context).takeUnretainedValue()
        return site.reply(connection, path: String(cString: url), method: String(cString: method))
    }
}
