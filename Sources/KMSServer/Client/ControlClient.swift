/// A client of the control socket of a running plugin.
public enum ControlClient {
    /// The report that `trousseau status --output json` prints, UTF-8.
    ///
    /// - Parameters:
    ///   - socket: the control socket's path.
    ///   - timeout: of the connecting, and then of the call.
    /// - Throws: `notReachable` when no plugin runs, and every other code of `ClientError`.
    public static func report(socket: String, timeout: Duration) throws(ClientError) -> [UInt8] {
        let connection = try ClientConnection(socket: socket, timeout: timeout)
        return try connection.call(.controlStatus, KMSRequests.empty(), KMSResponses.controlStatus)
    }

    /// Asks the plugin to end. It has heard it when this returns, and ends after the calls in flight.
    ///
    /// - Throws: as `report`.
    public static func stop(socket: String, timeout: Duration) throws(ClientError) {
        let connection = try ClientConnection(socket: socket, timeout: timeout)
        try connection.call(.controlStop, KMSRequests.empty()) { _ in () }
    }
}
