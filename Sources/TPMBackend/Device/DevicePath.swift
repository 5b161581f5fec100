internal import Glibc
internal import Keyring

/// The device file in a TCTI's configuration, `device:/dev/tpmrm0`.
struct DevicePath: Sendable {
    let path: String

    /// Nil for other TCTIs, whose configuration is not a path.
    init?(_ tcti: String) {
        guard tcti.hasPrefix("device:/") else { return nil }
        path = String(tcti.dropFirst("device:".count))
    }

    /// Says why the device could not be opened; the library has only one code for it.
    func explain(_ error: TPMError) -> TPMError {
        guard let problem else { return error }
        return TPMError(
            .device, "\(path): \(systemError(problem.code))", hint: problem.hint,
            errorClass: problem.mayPass
                ? .reopen : .operatorMustAct)
    }

    /// What keeps this process from the device; nil when nothing does.
    var problem: (code: Int32, hint: String, mayPass: Bool)? {
        guard access(path, R_OK | W_OK) != 0 else { return nil }
        let code = errno
        switch code {
        case ENOENT:
            return (code, "switch the TPM on in the firmware's settings, and see that the kernel has its driver", true)
        case EACCES:
            return (
                code, "let trousseau's user be in the group of the device (tss on Debian: usermod -a -G tss USER)",
                false
            )
        default:
            return (code, "look at the kernel's log for tpm", true)
        }
    }
}
