/// The section `server`.
struct ServerSchema {
    static let defaultSocket = "/run/trousseau/kms.sock"
    static let defaultControl = "/run/trousseau-control/control.sock"
    /// The size of `sun_path`, without its NUL.
    static let maximumPathSize = 107

    let accounts: AccountNames

    func read(_ section: Section) -> PluginConfiguration.Server {
        let allowUnlockedMemory = section.bool("allowUnlockedMemory", default: false)
        let socket = section.section("socket").map(kmsSocket)
        let control = section.section("control").map(controlSocket)
        section.finish()
        if let first = socket?.path, let second = control?.path { compare(first, second, section) }
        return PluginConfiguration.Server(
            socket: socket?.socket ?? ServerSchema.socket(ServerSchema.defaultSocket),
            control: control?.socket ?? ServerSchema.socket(ServerSchema.defaultControl),
            allowUnlockedMemory: allowUnlockedMemory)
    }

    private struct Result {
        var socket: PluginConfiguration.Socket
        /// Nil when it was refused.
        var path: Located<String>?
    }

    private static func socket(_ path: String) -> PluginConfiguration.Socket {
        PluginConfiguration.Socket(path: path, mode: 0o600, allowUsers: [0], allowGroups: [])
    }

    private func kmsSocket(_ section: Section) -> Result {
        let allowAbstract = section.bool("allowAbstract", default: false)
        var result = common(section, defaultPath: ServerSchema.defaultSocket, allowAbstract: allowAbstract)
        result.socket.allowGroups = accountList("allowGroups", of: .group, section) ?? []
        reportEmpty(result.socket, section, hint: "name kube-apiserver's user")
        section.finish()
        return result
    }

    private func controlSocket(_ section: Section) -> Result {
        let result = common(section, defaultPath: ServerSchema.defaultControl, allowAbstract: nil)
        reportEmpty(result.socket, section, hint: "name the operators' user, such as 0")
        section.finish()
        return result
    }

    private func reportEmpty(_ socket: PluginConfiguration.Socket, _ section: Section, hint: String) {
        guard socket.allowUsers.isEmpty && socket.allowGroups.isEmpty else { return }
        section.report("allowUsers", line: section.line(of: "allowUsers"), "nobody may connect", hint: hint)
    }

    private func common(_ section: Section, defaultPath: String, allowAbstract: Bool?) -> Result {
        let path = socketPath(section, defaultPath: defaultPath, allowAbstract: allowAbstract)
        var socket = ServerSchema.socket(path?.value ?? defaultPath)
        if socket.isAbstract {
            for key in section.present(["mode", "owner", "group"]) {
                section.report(
                    key.value, line: key.line, "an abstract socket has none",
                    hint: "only allowUsers and allowGroups guard it")
            }
        } else {
            socket.mode = mode(section) ?? 0o600
            socket.owner = account("owner", of: .user, section)
            socket.group = account("group", of: .group, section)
        }
        if let users = accountList("allowUsers", of: .user, section) { socket.allowUsers = users }
        return Result(socket: socket, path: path)
    }

    private func socketPath(_ section: Section, defaultPath: String, allowAbstract: Bool?) -> Located<String>? {
        guard let path = section.string("path") else {
            return section.present(["path"]).isEmpty
                ? Located(value: defaultPath, line: section.line, key: section.join("path")) : nil
        }
        var problem: (reason: String, hint: String)?
        if path.value.hasPrefix("unix:") {
            problem = ("is an address, not a path", "leave unix:// away")
        } else if path.value.utf8.count > ServerSchema.maximumPathSize {
            problem = ("is longer than \(ServerSchema.maximumPathSize) bytes", "Linux allows no more for a socket")
        } else if path.value.hasPrefix("@") {
            if allowAbstract == nil {
                problem = ("is in the abstract namespace", "the control socket needs a file's permissions")
            } else if allowAbstract == false {
                problem = (
                    "is in the abstract namespace", "no file permission guards it; allowAbstract: true if you must"
                )
            } else if path.value.utf8.count < 2 {
                problem = ("has no name after the @", "write @ and a name")
            }
        } else if let reason = Section.problem(ofPath: path.value) {
            problem = (reason, "write the whole path, such as \(defaultPath)")
        }
        guard let problem else { return path }
        section.report("path", line: path.line, "\(Quoted.text(path.value)) \(problem.reason)", hint: problem.hint)
        return nil
    }

    private func mode(_ section: Section) -> UInt32? {
        let hint = "write octal digits in quotes, such as \"0600\" or \"0660\""
        guard let node = section.node("mode") else { return nil }
        guard case .scalar(let text, let plain) = node.content,
            case .text(let digits) = YAMLNode.meaning(of: text, plain: plain)
        else {
            Section.reportType(
                of: node, expected: "octal digits in quotes", section.join("mode"), section.diagnosis, hint: hint)
            return nil
        }
        guard (3...4).contains(digits.utf8.count), digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x37 }),
            let mode = UInt32(digits, radix: 8)
        else {
            section.report("mode", line: node.line, "\(Quoted.text(digits)) is not a mode", hint: hint)
            return nil
        }
        let problem: String
        switch mode {
        case _ where mode & 0o007 != 0: problem = "lets everybody on this machine in"
        case _ where mode & 0o7111 != 0: problem = "has bits that mean nothing for a socket"
        case _ where mode & 0o600 != 0o600: problem = "keeps its owner out"
        default: return mode
        }
        section.report("mode", line: node.line, "\(Quoted.text(digits)) \(problem)", hint: hint)
        return nil
    }

    /// The control socket lives in a folder of its own: whoever may open the KMS socket's folder has no business there.
    private func compare(_ socket: Located<String>, _ control: Located<String>, _ section: Section) {
        guard !socket.value.hasPrefix("@") else { return }
        if socket.value == control.value {
            section.diagnosis.add(
                control.line, control.key, "is server.socket.path too", hint: "each needs a socket of its own")
        } else if ServerSchema.folder(socket.value) == ServerSchema.folder(control.value) {
            section.diagnosis.add(
                control.line, control.key, "is in the folder of server.socket.path", hint: "give it a folder of its own"
            )
        }
    }

    private static func folder(_ path: String) -> Substring {
        path.lastIndex(of: "/").map { path[..<$0] } ?? ""
    }
}
