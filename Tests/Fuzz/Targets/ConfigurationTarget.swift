@testable internal import Configuration

/// The configuration file: any bytes give a configuration, or errors that name a line.
struct ConfigurationTarget: FuzzTarget {
    let name = "configuration"

    func seeds() -> [[UInt8]] {
        [
            """
            apiVersion: trousseau/v1alpha1
            kind: PluginConfiguration
            keyring: {name: prod}
            backends:
            - name: a
              pkcs11: {module: /m.so, key: "pkcs11:token=t;object=o", pinSource: /pin}

            """,
            """
            apiVersion: trousseau/v1alpha1
            kind: PluginConfiguration
            keyring:
              name: prod
              directory: /var/lib/trousseau/keyring
              minimumSeals: 1
            server:
              socket: {path: "@abstract", mode: "0660", owner: root, group: 0, allowUsers: [0, kube], allowAbstract: true}
              control: {path: /run/trousseau-control/control.sock, allowUsers: [0]}
              allowUnlockedMemory: false
            backends:
            - name: a
              unsealOnly: false
              deadline: 500ms
              pkcs11:
                module: /m.so
                key: "pkcs11:token=t;object=o"
                pinSource: /pin
                maxSessions: 4
                allowUnsafeKey: false
                allowPINCountLow: false

            """,
        ].map { Array($0.utf8) }
    }

    private static let accounts = AccountNames(passwd: "root:x:0:0:::\nkube:x:42:43:::\n", group: "root:x:0:\n")

    func run(_ bytes: [UInt8]) {
        do throws(ConfigurationError) {
            let configuration = try PluginConfiguration.parse(
                bytes, file: "f", accounts: ConfigurationTarget.accounts)
            Fuzz.check(!configuration.backends.isEmpty, "no backend was accepted")
            Fuzz.check(!configuration.keyring.name.isEmpty, "no name was accepted")
            Fuzz.check(configuration.server.socket.path.utf8.count <= 107, "a socket's path is too long")
        } catch {
            Fuzz.check(!error.diagnostics.isEmpty, "refused without a reason")
            let lines = bytes.count { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") } + 2
            for diagnostic in error.diagnostics {
                Fuzz.check(!diagnostic.reason.isEmpty, "a reason is empty")
                Fuzz.check(diagnostic.line <= lines + bytes.count { $0 >= 0x80 }, "line \(diagnostic.line)")
            }
        }
    }
}
