internal import Configuration
internal import Glibc
internal import Keyring

/// What `doctor` finds out about files and folders, without opening a device or the keyring.
struct HostFindings {
    let configuration: PluginConfiguration
    let configurationPath: String
    /// Whom files should belong to: the user that runs this.
    let user: UInt32

    var all: [Finding] {
        var findings = [configurationFile, keyringDirectory]
        findings += socket("server.socket", configuration.server.socket)
        findings += socket("server.control", configuration.server.control)
        return findings
    }

    private var configurationFile: Finding {
        let subject = "configuration \(configurationPath)"
        guard let file = FileStatus(configurationPath) else { return Finding(.ok, subject, "is read") }
        if file.mode & 0o022 != 0 {
            return Finding(
                .error, subject, "others than its owner may change it (mode \(file.modeText))",
                hint: "chmod go-w \(configurationPath)")
        }
        if file.owner != user && file.owner != 0 {
            return Finding(
                .error, subject, "belongs to user \(file.owner)", hint: "chown root \(configurationPath)")
        }
        return Finding(.ok, subject, "is accepted")
    }

    private var keyringDirectory: Finding {
        let path = configuration.keyring.directory
        let subject = "folder \(path)"
        guard let folder = FileStatus(path) else {
            return Finding(.error, subject, FileStatus.reason(path), hint: "trousseau init makes it")
        }
        guard folder.isDirectory else { return Finding(.error, subject, "is not a folder", hint: "name another") }
        guard folder.owner == user else {
            return Finding(
                .error, subject, "belongs to user \(folder.owner), not \(user)",
                hint: "run doctor as the plugin's user, or chown it")
        }
        guard folder.mode & 0o022 == 0 else {
            return Finding(
                .error, subject, "others may write to it (mode \(folder.modeText))", hint: "chmod 700 \(path)")
        }
        guard access(path, W_OK | X_OK) == 0 else {
            return Finding(
                .error, subject, "cannot be written: \(String(cString: strerror(errno)))",
                hint: "is its file system read-only?")
        }
        guard folder.mode & 0o055 == 0 else {
            return Finding(.warning, subject, "others may open it (mode \(folder.modeText))", hint: "chmod 700 \(path)")
        }
        return Finding(.ok, subject, "belongs to user \(user), mode \(folder.modeText)")
    }

    private func socket(_ key: String, _ socket: PluginConfiguration.Socket) -> [Finding] {
        let subject = "\(key) \(socket.path)"
        if socket.isAbstract {
            return [Finding(.warning, subject, "no file permission guards it", hint: "name a path, if you can")]
        }
        let folder = String(socket.path[..<(socket.path.lastIndex(of: "/") ?? socket.path.startIndex)])
        var findings = [socketFolder(subject, folder.isEmpty ? "/" : folder)]
        for user in socket.allowUsers where !mayOpen(socket, user) {
            findings.append(
                Finding(
                    .warning, subject, "user \(user) is allowed, but mode \(FileStatus.text(socket.mode)) keeps it out",
                    hint: "set group and mode \"0660\", or make it the owner; or is it in the socket's group?"))
        }
        if let listener = listener(subject, socket.path) { findings.append(listener) }
        return findings
    }

    private func socketFolder(_ subject: String, _ folder: String) -> Finding {
        guard let status = FileStatus(folder), status.isDirectory else {
            let parent = String(folder[..<(folder.lastIndex(of: "/") ?? folder.startIndex)])
            let place = parent.isEmpty ? "/" : parent
            guard FileStatus(folder) == nil, FileStatus(place)?.isDirectory == true, access(place, W_OK | X_OK) == 0
            else {
                return Finding(
                    .error, subject, "folder \(folder): \(FileStatus.reason(folder))",
                    hint: "make it, or let systemd do so (RuntimeDirectory=)")
            }
            return Finding(.ok, subject, "folder \(folder) is missing: serve will make it")
        }
        // In a sticky one, such as /tmp, nobody can take away what is another's.
        guard status.mode & 0o022 == 0 || status.mode & 0o1000 != 0 else {
            return Finding(
                .error, subject, "others may put a socket of their own into \(folder) (mode \(status.modeText))",
                hint: "chmod go-w \(folder)")
        }
        guard status.owner == user || status.owner == 0 else {
            return Finding(.error, subject, "\(folder) belongs to user \(status.owner)", hint: "chown it")
        }
        return Finding(.ok, subject, "folder \(folder) belongs to user \(status.owner), mode \(status.modeText)")
    }

    /// As far as the owner and the mode say; who is in a group is not ours to look up.
    private func mayOpen(_ socket: PluginConfiguration.Socket, _ other: UInt32) -> Bool {
        other == 0 || other == socket.owner ?? user || socket.mode & 0o060 != 0
    }

    private func listener(_ subject: String, _ path: String) -> Finding? {
        guard let status = FileStatus(path) else { return nil }
        guard status.isSocket else {
            return Finding(.error, subject, "something that is no socket is in the way", hint: "remove \(path)")
        }
        return switch SocketProbe.ask(path) {
        case .listening: Finding(.ok, subject, "a process is listening")
        case .stale: Finding(.ok, subject, "is stale: serve will replace it")
        case .refused(let reason): Finding(.warning, subject, "cannot be asked: \(reason)", hint: "run doctor as root")
        }
    }
}
