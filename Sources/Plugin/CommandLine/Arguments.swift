internal import Configuration

/// The options of one command, read from its arguments.
struct Arguments {
    /// `--name VALUE`, `--name=VALUE`, `--name VALUE VALUE …`, or a bare `--name`.
    struct Option {
        let name: String
        let takesValue: Bool
        /// Takes every argument up to the next option.
        var takesMore = false

        static func value(_ name: String) -> Option { Option(name: name, takesValue: true) }
        static func values(_ name: String) -> Option { Option(name: name, takesValue: true, takesMore: true) }
        static func flag(_ name: String) -> Option { Option(name: name, takesValue: false) }
    }

    private let command: String
    private var values: [String: String] = [:]
    private var further: [String: [String]] = [:]

    /// Reads the arguments that follow the name of `command`.
    ///
    /// - Throws: `CommandFailure` with code `usage`.
    init(_ arguments: [String], of command: String, _ options: [Option]) throws(CommandFailure) {
        self.command = command
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard argument.hasPrefix("--"), let name = parts.first,
                let option = options.first(where: { $0.name == name })
            else { throw unknown(argument, options) }
            guard values[name] == nil else { throw failure("\(name) is given twice") }
            if !option.takesValue {
                guard parts.count == 1 else { throw failure("\(name) takes no value") }
                values[name] = ""
            } else if parts.count == 2 {
                values[name] = parts[1]
            } else if let value = rest.popFirst() {
                guard !value.hasPrefix("--") else {
                    throw failure("\(name) needs a value", hint: "a value that begins so is written \(name)=\(value)")
                }
                values[name] = value
            } else {
                throw failure("\(name) needs a value")
            }
            while option.takesMore, let value = rest.first, !value.hasPrefix("--") {
                further[name, default: []].append(value)
                rest = rest.dropFirst()
            }
        }
    }

    func has(_ name: String) -> Bool { values[name] != nil }

    /// The value of an option, or nil when it was not given.
    func string(_ name: String) throws(CommandFailure) -> String? {
        guard let value = values[name] else { return nil }
        guard !value.isEmpty else { throw failure("\(name) is empty") }
        return value
    }

    /// All values of an option that takes several; none when it was not given.
    func list(_ name: String) throws(CommandFailure) -> [String] {
        guard let first = try string(name) else { return [] }
        let all = [first] + further[name, default: []]
        guard !all.contains("") else { throw failure("\(name) is empty") }
        return all
    }

    func required(_ name: String, hint: String) throws(CommandFailure) -> String {
        guard let value = try string(name) else { throw failure("\(name) is missing", hint: hint) }
        return value
    }

    func integer(_ name: String, in range: ClosedRange<Int>, default fallback: Int) throws(CommandFailure) -> Int {
        guard let text = values[name] else { return fallback }
        guard let number = Int(text), range.contains(number) else {
            throw failure(
                "\(name) \(Quoted.text(text)) is not a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    func duration(
        _ name: String, in range: ClosedRange<Duration>, default fallback: Duration
    ) throws(CommandFailure) -> Duration {
        guard let text = values[name] else { return fallback }
        guard let duration = DurationText.parse(text), range.contains(duration) else {
            let (low, high) = (DurationText.format(range.lowerBound), DurationText.format(range.upperBound))
            throw failure(
                "\(name) \(Quoted.text(text)) is not a time from \(low) to \(high)",
                hint: "a whole number and a unit (ms, s, m, h), such as 10s")
        }
        return duration
    }

    func choice<Choice: RawRepresentable & CaseIterable>(
        _ name: String, default fallback: Choice
    ) throws(CommandFailure) -> Choice where Choice.RawValue == String {
        guard let text = values[name] else { return fallback }
        if let choice = Choice(rawValue: text) { return choice }
        let words = Choice.allCases.map(\.rawValue).joined(separator: ", ")
        throw failure("\(name) \(Quoted.text(text)) is not known", hint: "one of: \(words)")
    }

    func failure(_ message: String, hint: String? = nil) -> CommandFailure {
        CommandFailure(.usage, "\(command): \(message)", hint: hint ?? "see trousseau help \(command)")
    }

    private func unknown(_ argument: String, _ options: [Option]) -> CommandFailure {
        guard argument.hasPrefix("-") else { return failure("\(Quoted.text(argument)) is one argument too many") }
        let name = argument.split(separator: "=", maxSplits: 1).first.map(String.init) ?? argument
        let nearest = Suggestion.nearest(to: name, in: options.map(\.name)).map { "did you mean \($0)?" }
        return failure("unknown option \(Quoted.text(name))", hint: nearest)
    }
}
