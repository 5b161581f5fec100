internal import Crypto
internal import Keyring
internal import Operations

/// What probes are told.
enum Probes {
    /// 200 and `ok` only while kube-apiserver's Status is answered; else 503 and why not, in a line. Nothing that a
    /// backend does makes a plugin that serves from memory unready.
    ///
    /// - Parameter report: lists the backends below.
    static func ready(_ error: ServiceError?, _ report: KeyringReport?) -> Page.Answer {
        var text = (error.map { PrintableText.spaced($0.message) } ?? "ok") + "\n"
        for backend in report?.backends ?? [] {
            text += "backend \(backend.name): \(backend.state.rawValue)"
            if backend.state == .failing, let reason = backend.lastError { text += ": \(PrintableText.spaced(reason))" }
            text += "\n"
        }
        return Page.Answer(error == nil ? 200 : 503, text)
    }
}
