internal import CLinux
internal import Glibc
internal import Keyring

/// Where the files of a signed policy are looked for.
///
/// An operator's file in /etc goes before what the boot put into /run (systemd-stub takes it from the booted image), and
/// that before what a package brought.
struct PolicyFiles: Sendable, Hashable {
    /// `/etc/systemd`, `/run/systemd`, `/usr/lib/systemd`.
    static let systemdDirectories = ["/etc/systemd", "/run/systemd", "/usr/lib/systemd"]
    static let keyName = "tpm2-pcr-public-key.pem"
    static let signatureName = "tpm2-pcr-signature.json"
    /// 64 KiB.
    private static let maximumSize = 65536

    /// Paths of public keys, in order.
    let keys: [String]
    /// Paths of signature files, in order.
    let signatures: [String]

    /// - Parameters:
    ///   - key: the only public key's file, or nil for systemd's places.
    ///   - signature: the only signature file, or nil for systemd's places.
    init(key: String? = nil, signature: String? = nil, directories: [String] = systemdDirectories) {
        keys = key.map { [$0] } ?? directories.map { "\($0)/\(PolicyFiles.keyName)" }
        signatures = signature.map { [$0] } ?? directories.map { "\($0)/\(PolicyFiles.signatureName)" }
    }

    /// The key to seal to: the first that there is.
    ///
    /// - Throws: `file`.
    func signingKey() throws(PolicyError) -> SigningKey {
        for path in keys {
            if let bytes = try PolicyFiles.read(path, onlyByOwner: true) {
                return try SigningKey(pem: bytes, path: path)
            }
        }
        throw PolicyError(
            .file, "no public key of a PCR policy: \(keys.joined(separator: ", "))",
            hint: "install the key that signs this machine's images, or name it in the configuration")
    }

    /// The key that a seal was made for.
    ///
    /// - Parameter name: its Name.
    /// - Throws: `file` when none of the files holds it.
    func signingKey(named name: [UInt8]) throws(PolicyError) -> SigningKey {
        var others: [String] = []
        for path in keys {
            // A file that is not right hides no other that is.
            guard let bytes = (try? PolicyFiles.read(path, onlyByOwner: true)) ?? nil,
                let key = try? SigningKey(pem: bytes, path: path)
            else { continue }
            if key.name == name { return key }
            others.append(path)
        }
        if others.isEmpty { _ = try signingKey() }
        throw PolicyError(
            .file, "\(others.joined(separator: ", ")): not the key that signs this seal's policy",
            hint: "put that key back, open the keyring, and run trousseau reseal for the new one")
    }

    /// The signature files that there are.
    ///
    /// - Throws: `file` when there is none, or when not one of them is right.
    func signatureFiles() throws(PolicyError) -> [PCRSignatureFile] {
        var found: [PCRSignatureFile] = []
        var problem: PolicyError?
        for path in signatures {
            do throws(PolicyError) {
                guard let bytes = try PolicyFiles.read(path, onlyByOwner: false) else { continue }
                found.append(try PCRSignatureFile(bytes, path: path))
            } catch {
                problem = problem ?? error
            }
        }
        if !found.isEmpty { return found }
        throw problem
            ?? PolicyError(
                .file, "no signatures of PCR values: \(signatures.joined(separator: ", "))",
                hint: "boot an image that brings them (ukify, systemd-measure sign), or name the file")
    }

    /// The whole file, or nil when there is none.
    ///
    /// - Parameter onlyByOwner: only root and this process's user may be able to change it: whoever replaces the key
    ///   decides where the seals made afterwards open.
    private static func read(_ path: String, onlyByOwner: Bool) throws(PolicyError) -> [UInt8]? {
        // Not blocking: opening a FIFO would wait for its writer.
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        if file < 0 {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw PolicyError(.file, "\(path): \(systemError(errno))", hint: "let the plugin's user read it")
        }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw PolicyError(.file, "\(path): not a file")
        }
        if onlyByOwner {
            guard status.st_uid == 0 || status.st_uid == geteuid(), status.st_mode & 0o022 == 0 else {
                throw PolicyError(
                    .file, "\(path): others than root and the plugin's user may change it",
                    hint: "check that it is still the right key, then chown root \(path) && chmod go-w \(path)")
            }
        }
        let bytes: [UInt8]
        do throws(FileFailure) {
            bytes = try readAll(file, limit: maximumSize + 1)
        } catch {
            throw PolicyError(.file, "\(path): \(systemError(error.code))")
        }
        guard bytes.count <= maximumSize else { throw PolicyError(.file, "\(path): longer than \(maximumSize) bytes") }
        return bytes
    }
}
