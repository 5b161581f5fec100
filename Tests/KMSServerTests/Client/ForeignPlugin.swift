import TestSupport

/// A plugin on Python's grpcio, which answers rightly or wrongly as it is told.
struct ForeignPlugin {
    let socket: String
    let process: ChildProcess

    /// Starts it and waits until it takes connections.
    static func start(_ behaviour: String, in scope: TestScope) async throws -> ForeignPlugin {
        let socket = scope.path("foreign.sock")
        let script = PackageSources.root + "/Tests/KMSServerTests/Client/foreign/plugin.py"
        let process = try scope.start("/usr/bin/python3", [script, socket, behaviour])
        try await process.waitForOutput("ready", within: .seconds(60))
        return ForeignPlugin(socket: socket, process: process)
    }
}
