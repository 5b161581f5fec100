/// Which module may import what. Arrows point down only; SwiftPM does not see to it, since it lets the modules that a
/// dependency depends on be imported, too.
enum Layering {
    /// What every Swift module may import.
    static let everywhere: Set<String> = ["Glibc", "Synchronization"]

    /// Below Plugin, no backend imports another one, and only Plugin reads configuration.
    static let allowed: [String: Set<String>] = [
        "Configuration": ["CLinux", "CYAML"],
        "Crypto": ["CLinux", "COpenSSL"],
        "KMSServer": ["CGRPC", "CKMSProto", "CLinux", "Crypto", "Keyring"],
        "Keyring": ["CKMSProto", "CLinux", "Crypto"],
        "Operations": ["CLinux", "CMicrohttpd"],
        "PKCS11Backend": ["CLinux", "CP11Kit", "Crypto", "Keyring"],
        "Plugin": [
            "CLinux", "Configuration", "Crypto", "FoundationEssentials", "KMSServer", "Keyring", "Operations",
            "PKCS11Backend", "RecoveryBackend", "TPMBackend", "VaultBackend",
        ],
        "RecoveryBackend": ["CLinux", "COpenSSL", "Crypto", "Keyring"],
        "TPMBackend": ["CLinux", "COpenSSL", "CTSS2", "Crypto", "Keyring"],
        "VaultBackend": ["CCurl", "CLinux", "Crypto", "Keyring"],
    ]

    /// What is wrong with the imports of a file in `module`: the line and the reason.
    static func violations(in imports: [ImportDeclaration], of module: String) -> [(line: Int, reason: String)] {
        guard let allowed = allowed[module]?.union(everywhere) else {
            return [(1, "module \(module) is not in the table of Tests/LayeringTests/Layering.swift")]
        }
        var violations: [(line: Int, reason: String)] = []
        for declaration in imports {
            if !allowed.contains(declaration.module) {
                violations.append((declaration.line, "\(module) must not import \(declaration.module)"))
            }
            if declaration.access == nil {
                violations.append((declaration.line, "import \(declaration.module) needs an access level"))
            }
            for attribute in declaration.attributes {
                violations.append((declaration.line, "\(attribute) import has no place in Sources"))
            }
        }
        return violations
    }
}
