internal import CGRPC
internal import Glibc

/// Settings of a channel or a server, by core's names (`GRPC_ARG_…`).
struct ChannelArguments {
    private var values: [(name: String, value: Int32)]

    init(_ values: KeyValuePairs<String, Int32>) {
        self.values = values.map { ($0.key, $0.value) }
    }

    /// What servers and clients on one machine's Unix sockets do without: compression, statistics for channelz, and
    /// the pings by which core measures a network's bandwidth after each read.
    static let lean = ChannelArguments([
        GRPC_ARG_ENABLE_PER_MESSAGE_COMPRESSION: 0,
        GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION: 0,
        GRPC_ARG_ENABLE_CHANNELZ: 0,
        GRPC_ARG_MAX_CHANNEL_TRACE_EVENT_MEMORY_PER_NODE: 0,
        GRPC_ARG_HTTP2_BDP_PROBE: 0,
    ])

    static func + (a: ChannelArguments, b: ChannelArguments) -> ChannelArguments {
        var sum = a
        sum.values += b.values
        return sum
    }

    /// The settings as core takes them; it copies them before the call returns.
    func withRaw<R>(_ body: (UnsafePointer<grpc_channel_args>) throws -> R) rethrows -> R {
        var arguments = values.map { name, value in
            grpc_arg(type: GRPC_ARG_INTEGER, key: strdup(name), value: .init(integer: value))
        }
        defer { for argument in arguments { free(argument.key) } }
        return try arguments.withUnsafeMutableBufferPointer { buffer in
            var raw = grpc_channel_args(num_args: buffer.count, args: buffer.baseAddress)
            return try body(&raw)
        }
    }
}
