internal import Glibc

/// The program.
@main
enum Trousseau {
    static let version = "0.1.0"

    static func main() {
        let code = run(Array(CommandLine.arguments.dropFirst()))
        // Not exit(): its handlers unload libraries that a device's thread may still be in.
        _exit(code.rawValue)
    }

    static func run(_ arguments: [String]) -> ExitCode {
        do throws(CommandFailure) {
            return try run(try Command.parse(arguments))
        } catch {
            StandardStreams.writeError(error.text)
            return error.code
        }
    }

    private static func run(_ command: Command) throws(CommandFailure) -> ExitCode {
        switch command {
        case .help(let topic):
            StandardStreams.write(Usage.text(topic))
            return .success
        case .version(let format):
            return VersionCommand.run(format)
        case .encryptionConfig(let options):
            return try EncryptionConfigCommand.run(options)
        case .kms(let options):
            return try KMSCommand.run(options)
        case .bench(let options):
            return try BenchCommand.run(options)
        case .reseal(let options):
            return try ResealCommand.run(options)
        case .recoveryKey(let options):
            return try RecoveryKeyCommand.run(options)
        case .recover(let options):
            return try RecoverCommand.run(options)
        case .initialize(let options):
            return try InitCommand.run(options)
        case .serve(let configuration):
            return try ServeCommand.run(configuration: configuration)
        case .status(let configuration, let format):
            return try StatusCommand.run(configuration: configuration, format)
        case .stop(let configuration):
            return try StopCommand.run(configuration: configuration)
        case .doctor(let configuration, let format):
            return try DoctorCommand.run(configuration: configuration, format)
        }
    }
}
