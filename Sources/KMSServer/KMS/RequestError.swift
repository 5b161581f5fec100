internal import Keyring

/// Why a request was refused before the keyring saw it.
struct RequestError: Error {
    let text: String

    init(_ text: String) { self.text = text }
}

extension StatusCode {
    /// The one table from the service's errors to gRPC's codes.
    init(_ code: ServiceError.Code) {
        self =
            switch code {
            case .invalidArgument: .invalidArgument
            case .notFound: .notFound
            case .failedPrecondition: .failedPrecondition
            case .unavailable: .unavailable
            case .deadlineExceeded: .deadlineExceeded
            case .resourceExhausted: .resourceExhausted
            case .internalError: .internalError
            }
    }
}
