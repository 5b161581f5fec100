import Configuration
import Testing

/// A configuration with one line of a good one replaced, and all that has to be said about it.
struct BrokenConfiguration: Sendable, CustomTestStringConvertible {
    /// The line (from 1) of `good` that is replaced.
    let line: Int
    /// By this; may be several lines, or empty.
    let text: String
    /// `line: key: reason`, in order.
    let expected: [String]

    init(_ line: Int, _ text: String, _ expected: [String]) {
        self.line = line
        self.text = text
        self.expected = expected
    }

    var testDescription: String { "line \(line): \(text.prefix(80))" }

    static let good = """
        apiVersion: trousseau/v1alpha1
        kind: PluginConfiguration
        keyring:
          name: prod
          directory: /var/lib/trousseau/keyring
          minimumSeals: 1
        server:
          socket: {path: /run/trousseau/kms.sock, mode: "0600", owner: 0, group: 0, allowUsers: [0]}
          control: {path: /run/trousseau-control/control.sock}
        backends:
        - name: rack-hsm
          deadline: 10s
          pkcs11:
            module: /usr/lib/softhsm/libsofthsm2.so
            key: "pkcs11:token=trousseau;object=kek-sealer"
            pinSource: /etc/trousseau/hsm.pin
        """

    static let all = top + keyring + server + backends + tpm + vault + operations

    /// The whole text.
    var configuration: String {
        var lines = BrokenConfiguration.good.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        lines[line - 1] = text
        return lines.joined(separator: "\n")
    }

    static let accounts = AccountNames(
        passwd: "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534::/:/bin/false\nkube:x:1042:1042::/:/bin/false\n",
        group: "root:x:0:\nkube:x:1043:kube\n")

    /// Stands for the PKCS#11 module's own look at the URI.
    static func checkPKCS11(_ section: PluginConfiguration.PKCS11) -> (reason: String, hint: String?)? {
        section.key.contains("tokn") ? ("unknown attribute", nil) : nil
    }

    /// Stands for the Vault module's own look at the section.
    static func checkVault(_ section: PluginConfiguration.Vault) -> (reason: String, hint: String?)? {
        section.address.hasPrefix("https://") ? nil : ("the address is no https URL", nil)
    }

    /// Stands for the TPM module's own look at the section.
    static func checkTPM(_ section: PluginConfiguration.TPM) -> (reason: String, hint: String?)? {
        section.device.contains(":") ? nil : ("the device is no TCTI", nil)
    }

    static func parse(_ text: String) throws(ConfigurationError) -> PluginConfiguration {
        try PluginConfiguration.parse(
            Array(text.utf8), file: "config.yaml", accounts: accounts, checkPKCS11: checkPKCS11, checkTPM: checkTPM,
            checkVault: checkVault)
    }

    static func findings(_ text: String) -> [Diagnostic] {
        do throws(ConfigurationError) {
            _ = try parse(text)
            return []
        } catch {
            return error.diagnostics
        }
    }
}
