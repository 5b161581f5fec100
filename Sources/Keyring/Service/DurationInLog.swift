extension Duration {
    /// For a log: whole milliseconds, or tenths of them below ten.
    var inMilliseconds: String {
        let (seconds, attoseconds) = components
        let tenths = seconds * 10_000 + attoseconds / 100_000_000_000_000
        return tenths < 100 ? "\(tenths / 10).\(tenths % 10)ms" : "\(tenths / 10)ms"
    }
}
