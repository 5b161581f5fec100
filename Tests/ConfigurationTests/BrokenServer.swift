extension BrokenConfiguration {
    static let server: [BrokenConfiguration] = [
        BrokenConfiguration(7, "server:\n  socket: {}", ["9: server.socket: occurs twice, first in line 8"]),
        BrokenConfiguration(
            8, "  socket: /run/trousseau/kms.sock",
            [
                "8: server.socket: expected a mapping, found text"
            ]),
        BrokenConfiguration(
            8, "  socket: {path: kms.sock}",
            [
                #"8: server.socket.path: "kms.sock" is not an absolute path"#
            ]),
        BrokenConfiguration(
            8, #"  socket: {path: "unix:///run/kms.sock"}"#,
            [
                #"8: server.socket.path: "unix:///run/kms.sock" is an address, not a path"#
            ]),
        BrokenConfiguration(
            8, "  socket: {path: /" + String(repeating: "a", count: 107) + "}",
            [
                #"8: server.socket.path: "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…" is longer than 107 bytes"#
            ]),
        BrokenConfiguration(
            8, #"  socket: {path: "@kms"}"#,
            [
                #"8: server.socket.path: "@kms" is in the abstract namespace"#
            ]),
        BrokenConfiguration(
            8, #"  socket: {path: "@", allowAbstract: true}"#,
            [
                #"8: server.socket.path: "@" has no name after the @"#
            ]),
        BrokenConfiguration(
            8, #"  socket: {path: "@kms", allowAbstract: true, mode: "0600", owner: 0}"#,
            [
                "8: server.socket.mode: an abstract socket has none",
                "8: server.socket.owner: an abstract socket has none",
            ]),
        BrokenConfiguration(
            8, "  socket: {path: /run/x/../kms.sock}",
            [
                #"8: server.socket.path: "/run/x/../kms.sock" has a . or .. in it"#
            ]),
        BrokenConfiguration(8, "  socket: {path: [a]}", ["8: server.socket.path: expected text, found a list"]),
        BrokenConfiguration(8, "  socket: {path: 5}", ["8: server.socket.path: expected text, found a number"]),
        BrokenConfiguration(
            8, "  socket: {mode: 0600}",
            [
                "8: server.socket.mode: expected octal digits in quotes, found a number"
            ]),
        BrokenConfiguration(
            8, #"  socket: {mode: "0666"}"#,
            [
                #"8: server.socket.mode: "0666" lets everybody on this machine in"#
            ]),
        BrokenConfiguration(
            8, #"  socket: {mode: "0777"}"#,
            [
                #"8: server.socket.mode: "0777" lets everybody on this machine in"#
            ]),
        BrokenConfiguration(
            8, #"  socket: {mode: "0601"}"#,
            [
                #"8: server.socket.mode: "0601" lets everybody on this machine in"#
            ]),
        BrokenConfiguration(
            8, #"  socket: {mode: "0700"}"#,
            [
                #"8: server.socket.mode: "0700" has bits that mean nothing for a socket"#
            ]),
        BrokenConfiguration(
            8, #"  socket: {mode: "4600"}"#,
            [
                #"8: server.socket.mode: "4600" has bits that mean nothing for a socket"#
            ]),
        BrokenConfiguration(8, #"  socket: {mode: "0060"}"#, [#"8: server.socket.mode: "0060" keeps its owner out"#]),
        BrokenConfiguration(8, #"  socket: {mode: "600x"}"#, [#"8: server.socket.mode: "600x" is not a mode"#]),
        BrokenConfiguration(8, #"  socket: {mode: "rw"}"#, [#"8: server.socket.mode: "rw" is not a mode"#]),
        BrokenConfiguration(
            8, "  socket: {mode: 384}",
            [
                "8: server.socket.mode: expected octal digits in quotes, found a number"
            ]),
        BrokenConfiguration(8, #"  socket: {mode: ""}"#, [#"8: server.socket.mode: "" is not a mode"#]),
        BrokenConfiguration(
            8, "  socket: {mode: [6]}",
            [
                "8: server.socket.mode: expected octal digits in quotes, found a list"
            ]),
        BrokenConfiguration(
            8, "  socket: {mode: 0o600}",
            [
                "8: server.socket.mode: expected octal digits in quotes, found a number"
            ]),
        BrokenConfiguration(8, #"  socket: {mode: "06000"}"#, [#"8: server.socket.mode: "06000" is not a mode"#]),
        BrokenConfiguration(8, "  socket: {owner: -1}", ["8: server.socket.owner: -1 is no user's number"]),
        BrokenConfiguration(
            8, "  socket: {owner: 4294967295}",
            [
                "8: server.socket.owner: 4294967295 is no user's number"
            ]),
        BrokenConfiguration(
            8, "  socket: {owner: 1.5}",
            [
                "8: server.socket.owner: expected a user's number or name, found a number"
            ]),
        BrokenConfiguration(
            8, "  socket: {owner: nobdy}",
            [
                #"8: server.socket.owner: no user "nobdy" in /etc/passwd"#
            ]),
        BrokenConfiguration(8, #"  socket: {owner: ""}"#, [#"8: server.socket.owner: no user "" in /etc/passwd"#]),
        BrokenConfiguration(
            8, "  socket: {owner: [0]}",
            [
                "8: server.socket.owner: expected a user's number or name, found a list"
            ]),
        BrokenConfiguration(
            8, "  socket: {owner: true}",
            [
                "8: server.socket.owner: expected a user's number or name, found true"
            ]),
        BrokenConfiguration(8, #"  socket: {owner: ""}"#, [#"8: server.socket.owner: no user "" in /etc/passwd"#]),
        BrokenConfiguration(
            8, "  socket: {owner: 99999999999}",
            [
                "8: server.socket.owner: 99999999999 is no user's number"
            ]),
        BrokenConfiguration(
            8, "  socket: {group: staff}",
            [
                #"8: server.socket.group: no group "staff" in /etc/group"#
            ]),
        BrokenConfiguration(8, "  socket: {group: -5}", ["8: server.socket.group: -5 is no group's number"]),
        BrokenConfiguration(
            8, "  socket: {allowUsers: 0}",
            [
                "8: server.socket.allowUsers: expected a list, found a number"
            ]),
        BrokenConfiguration(8, "  socket: {allowUsers: []}", ["8: server.socket.allowUsers: nobody may connect"]),
        BrokenConfiguration(
            8, "  socket: {allowUsers: [0, 65534]}",
            [
                "8: server.socket.allowUsers[1]: 65534 is every user that a namespace does not map"
            ]),
        BrokenConfiguration(
            8, "  socket: {allowUsers: [0, kube, 0]}",
            [
                "8: server.socket.allowUsers[2]: user 0 is in the list twice"
            ]),
        BrokenConfiguration(
            8, "  socket: {allowUsers: [root, 0]}",
            [
                "8: server.socket.allowUsers[1]: user 0 is in the list twice"
            ]),
        BrokenConfiguration(
            8, "  socket: {allowUsers: [[0]]}",
            [
                "8: server.socket.allowUsers[0]: expected a user's number or name, found a list"
            ]),
        BrokenConfiguration(
            8, "  socket: {allowUsers: [nobody]}",
            [
                "8: server.socket.allowUsers[0]: 65534 is every user that a namespace does not map"
            ]),
        BrokenConfiguration(
            8, "  socket:\n    allowUsers:\n    - 0\n    - ghost\n    - -3",
            [
                #"11: server.socket.allowUsers[1]: no user "ghost" in /etc/passwd"#,
                "12: server.socket.allowUsers[2]: -3 is no user's number",
            ]),
        BrokenConfiguration(
            8, "  socket: {allowGroups: [65534]}",
            [
                "8: server.socket.allowGroups[0]: 65534 is every group that a namespace does not map"
            ]),
        BrokenConfiguration(
            8, "  socket: {allowGroups: {a: 1}}",
            [
                "8: server.socket.allowGroups: expected a list, found a mapping"
            ]),
        BrokenConfiguration(8, "  socket: {allowUser: [0]}", ["8: server.socket.allowUser: unknown key"]),
        BrokenConfiguration(
            8, "  socket: {allowAbstract: 1}",
            [
                "8: server.socket.allowAbstract: expected true or false, found a number"
            ]),
        BrokenConfiguration(
            8, "  socket: {allowAbstract: yes}",
            [
                "8: server.socket.allowAbstract: expected true or false, found text"
            ]),
        BrokenConfiguration(8, "  socket: {user: 0}", ["8: server.socket.user: unknown key"]),
        BrokenConfiguration(
            8, #"  allowUnlockedMemory: "true""#,
            [
                "8: server.allowUnlockedMemory: expected true or false, found text"
            ]),
        BrokenConfiguration(
            8, "  allowUnlockedMemory: on",
            [
                "8: server.allowUnlockedMemory: expected true or false, found text"
            ]),
        BrokenConfiguration(8, "  allowUnlockedMemroy: true", ["8: server.allowUnlockedMemroy: unknown key"]),
        BrokenConfiguration(
            8, "  allowUnlockedMemory: 1",
            [
                "8: server.allowUnlockedMemory: expected true or false, found a number"
            ]),
        BrokenConfiguration(
            9, "  control: {path: /run/trousseau/kms.sock}",
            [
                "9: server.control.path: is server.socket.path too"
            ]),
        BrokenConfiguration(
            9, "  control: {path: /run/trousseau/control.sock}",
            [
                "9: server.control.path: is in the folder of server.socket.path"
            ]),
        BrokenConfiguration(
            9, #"  control: {path: "@control"}"#,
            [
                #"9: server.control.path: "@control" is in the abstract namespace"#
            ]),
        BrokenConfiguration(9, "  control: {allowAbstract: true}", ["9: server.control.allowAbstract: unknown key"]),
        BrokenConfiguration(9, "  control: {allowGroups: [0]}", ["9: server.control.allowGroups: unknown key"]),
        BrokenConfiguration(9, "  control: []", ["9: server.control: expected a mapping, found a list"]),
        BrokenConfiguration(9, "  control: {allowUsers: []}", ["9: server.control.allowUsers: nobody may connect"]),
        BrokenConfiguration(
            9, #"  control: {mode: "0606"}"#,
            [
                #"9: server.control.mode: "0606" lets everybody on this machine in"#
            ]),
    ]
}
