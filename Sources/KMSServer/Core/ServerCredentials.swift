internal import CGRPC

/// No transport security: who the peer is, the kernel has said.
final class ServerCredentials: @unchecked Sendable {
    // Sendable: core counts references to it and does not change it.
    let raw: OpaquePointer

    init() throws(ServerError) {
        guard let raw = grpc_insecure_server_credentials_create() else {
            throw ServerError(.system, "gRPC core", "no credentials were made", hint: "see the log")
        }
        self.raw = raw
    }

    deinit { grpc_server_credentials_release(raw) }
}
