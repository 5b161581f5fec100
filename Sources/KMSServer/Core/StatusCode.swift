internal import CGRPC

/// A gRPC status code (https://grpc.github.io/grpc/core/md_doc_statuscodes.html); codes unknown here survive.
struct StatusCode: RawRepresentable, Sendable, Hashable {
    let rawValue: Int32

    static let ok = StatusCode(rawValue: 0)
    static let cancelled = StatusCode(rawValue: 1)
    static let unknown = StatusCode(rawValue: 2)
    static let invalidArgument = StatusCode(rawValue: 3)
    static let deadlineExceeded = StatusCode(rawValue: 4)
    static let notFound = StatusCode(rawValue: 5)
    static let permissionDenied = StatusCode(rawValue: 7)
    static let resourceExhausted = StatusCode(rawValue: 8)
    static let failedPrecondition = StatusCode(rawValue: 9)
    static let unimplemented = StatusCode(rawValue: 12)
    static let internalError = StatusCode(rawValue: 13)
    static let unavailable = StatusCode(rawValue: 14)

    private static let names = [
        "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
        "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
        "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
    ]

    /// As gRPC writes it, or `CODE_99` for one that it does not define.
    var name: String {
        StatusCode.names.indices.contains(Int(rawValue)) ? StatusCode.names[Int(rawValue)] : "CODE_\(rawValue)"
    }

    var core: grpc_status_code { grpc_status_code(rawValue: rawValue) }
}
