public import Keyring

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

    /// Has the plugin make and renew seals: the report that `trousseau reseal --output json` prints, UTF-8.
    ///
    /// - Parameter timeout: of the connecting, and then of all the work.
    /// - Throws: as `report`; `refused` with the plugin's reason.
    public static func reseal(
        socket: String, _ options: ResealOptions, timeout: Duration
    ) throws(ClientError) -> [UInt8] {
        let connection = try ClientConnection(socket: socket, timeout: timeout)
        return try connection.call(.controlReseal, KMSRequests.reseal(options), KMSResponses.controlReseal)
    }

    /// Asks the plugin to end. It has heard it when this returns, and ends after the calls in flight.
    ///
    /// - Throws: as `report`.
    public static func stop(socket: String, timeout: Duration) throws(ClientError) {
        let connection = try ClientConnection(socket: socket, timeout: timeout)
        try connection.call(.controlStop, KMSRequests.empty()) { _ in () }
    }
}
