internal import CGRPC

/// Between core's clocks and ours.
enum GRPCTime {
    static var never: gpr_timespec { gpr_inf_future(GPR_CLOCK_MONOTONIC) }

    /// `instant` on core's monotonic clock.
    static func timespec(_ instant: ContinuousClock.Instant) -> gpr_timespec {
        timespec(after: instant - .now)
    }

    /// `duration` from now on core's monotonic clock.
    static func timespec(after duration: Duration) -> gpr_timespec {
        let (seconds, attoseconds) = duration.components
        let span = gpr_timespec(
            tv_sec: seconds, tv_nsec: Int32(attoseconds / 1_000_000_000), clock_type: GPR_TIMESPAN)
        return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), span)
    }

    /// The instant that a call's deadline means; nil when it has none.
    static func instant(_ deadline: gpr_timespec) -> ContinuousClock.Instant? {
        guard gpr_time_cmp(deadline, gpr_inf_future(deadline.clock_type)) != 0 else { return nil }
        let rest = gpr_time_sub(deadline, gpr_now(deadline.clock_type))
        return .now + .seconds(rest.tv_sec) + .nanoseconds(Int64(rest.tv_nsec))
    }
}
