internal import CGRPC
internal import Glibc
internal import Keyring
internal import Synchronization

/// gRPC's C core, of which a process has one.
enum GRPCLibrary {
    /// Where core's own messages go; core asks for it from any thread.
    private static let log = Mutex(Log.none)

    /// Variables that would change what core does or says. Only the configuration may.
    private static let variables = [
        "GRPC_TRACE", "GRPC_VERBOSITY", "GRPC_STACKTRACE_MINLOGLEVEL", "GRPC_POLL_STRATEGY", "GRPC_EXPERIMENTS",
        "GRPC_ENABLE_FORK_SUPPORT", "GRPC_ABORT_ON_LEAKS", "GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS",
        "http_proxy", "https_proxy", "grpc_proxy", "no_proxy", "no_grpc_proxy",
    ]

    /// Once, and never undone: ending core again waits for its threads, and the process's end does as well.
    private static let initialized: Void = {
        // unsetenv(3) must not meet getenv(3) of another thread, so it is called only for what is there.
        for name in variables where getenv(name) != nil { unsetenv(name) }
        gpr_set_log_verbosity(GPR_LOG_SEVERITY_ERROR)
        gpr_set_log_function { arguments in
            guard let message = arguments?.pointee.message else { return }
            let text = String(
                decoding: UnsafeRawBufferPointer(start: message, count: min(strlen(message), 512)),
                as: UTF8.self)
            GRPCLibrary.log.withLock { $0 }(.warning, "gRPC core", ("message", text))
        }
        grpc_init()
    }()

    /// Makes core ready for use; core's errors go to `log` from now on, whoever gave it last.
    static func start(log: Log = .none) {
        GRPCLibrary.log.withLock { $0 = log }
        initialized
    }
}
