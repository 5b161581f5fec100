/// Why a KEK is not open, and how soon to look again.
struct Trouble: Error, Sendable, Equatable {
    /// `unavailable` when it may mend itself, else `failedPrecondition`.
    let code: ServiceError.Code
    let reason: String
    let hint: String?
    /// How the next attempt is paced.
    let errorClass: SealingError.Class

    init(_ code: ServiceError.Code, _ reason: String, hint: String?, _ errorClass: SealingError.Class) {
        self.code = code
        self.reason = reason
        self.hint = hint
        self.errorClass = errorClass
    }

    /// Trouble with the files: until an operator mends them.
    init(_ error: StoreError) {
        self.init(.failedPrecondition, "\(error.path): \(error.reason)", hint: error.hint, .operatorMustAct)
    }

    /// What no member of the chain could do.
    init(_ failure: ChainFailure, _ kekID: KEKID, _ record: Record, _ chain: SealingChain) {
        guard !failure.attempts.isEmpty else {
            let recipients = record.liveSeals.map(\.recipient.id).joined(separator: ", ")
            self.init(
                .failedPrecondition,
                "KEK \(kekID) is sealed to none of the configured backends, but to \(recipients)",
                hint: "configure the backend that has one of these sealing keys", .operatorMustAct)
            return
        }
        let classes = failure.attempts.map(\.error.errorClass)
        let mends = classes.contains { $0 == .retry || $0 == .reopen }
        let worst = failure.attempts.first { $0.error.hint != nil && ($0.error.errorClass != .permanent || !mends) }
        let reasons = failure.attempts.map { attempt in
            "\(chain.members[attempt.candidate.member].backend.name): \(attempt.error.message)"
        }
        self.init(
            mends ? .unavailable : .failedPrecondition,
            "no backend opens KEK \(kekID): \(reasons.joined(separator: ", "))", hint: worst?.error.hint,
            // The shortest pause that one of them allows.
            classes.contains(.reopen) ? .reopen : classes.contains(.operatorMustAct) ? .operatorMustAct : .retry)
    }

    /// As a request hears it.
    var serviceError: ServiceError { ServiceError(code, hint.map { "\(reason); \($0)" } ?? reason) }
}

extension ServiceError {
    /// What is wrong with the bytes of a request.
    init(_ error: FormatError) {
        self.init(error.code == .cryptography ? .internalError : .invalidArgument, "\(error)")
    }

    static let shutDown = ServiceError(.unavailable, "the plugin is shutting down")
}
