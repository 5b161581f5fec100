extension BrokenConfiguration {
    static let keyring: [BrokenConfiguration] = [
        BrokenConfiguration(3, "keyrings:", ["1: keyring: is missing", "3: keyrings: unknown key"]),
        BrokenConfiguration(4, "", ["5: keyring.name: is missing"]),
        BrokenConfiguration(4, "  name: Prod", [#"4: keyring.name: "Prod" is not an RFC 1123 label"#]),
        BrokenConfiguration(4, "  name: prod_1", [#"4: keyring.name: "prod_1" is not an RFC 1123 label"#]),
        BrokenConfiguration(4, "  name: -prod", [#"4: keyring.name: "-prod" is not an RFC 1123 label"#]),
        BrokenConfiguration(4, "  name: prod-", [#"4: keyring.name: "prod-" is not an RFC 1123 label"#]),
        BrokenConfiguration(
            4, "  name: " + String(repeating: "a", count: 64) + "",
            [
                #"4: keyring.name: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" is not an RFC 1123 label"#
            ]),
        BrokenConfiguration(4, "  name: 12", ["4: keyring.name: expected text, found a number"]),
        BrokenConfiguration(4, #"  name: """#, ["4: keyring.name: is empty"]),
        BrokenConfiguration(4, "  name:", ["4: keyring.name: has no value"]),
        BrokenConfiguration(4, "  name: [prod]", ["4: keyring.name: expected text, found a list"]),
        BrokenConfiguration(4, "  name: prod/a", [#"4: keyring.name: "prod/a" is not an RFC 1123 label"#]),
        BrokenConfiguration(4, "  name: prüd", [#"4: keyring.name: "pr\u{00FC}d" is not an RFC 1123 label"#]),
        BrokenConfiguration(4, "  nmae: prod", ["4: keyring.name: is missing", "4: keyring.nmae: unknown key"]),
        BrokenConfiguration(4, "  name: prod\n  name: prod", ["5: keyring.name: occurs twice, first in line 4"]),
        BrokenConfiguration(4, "  name: yes.no", [#"4: keyring.name: "yes.no" is not an RFC 1123 label"#]),
        BrokenConfiguration(4, "  name: 0x1f", ["4: keyring.name: expected text, found a number"]),
        BrokenConfiguration(4, "  name: 1e3", ["4: keyring.name: expected text, found a number"]),
        BrokenConfiguration(4, "  name: ~", ["4: keyring.name: has no value"]),
        BrokenConfiguration(5, "  directory: keyring", [#"5: keyring.directory: "keyring" is not an absolute path"#]),
        BrokenConfiguration(
            5, "  directory: ../keyring",
            [
                #"5: keyring.directory: "../keyring" is not an absolute path"#
            ]),
        BrokenConfiguration(
            5, "  directory: /var/../keyring",
            [
                #"5: keyring.directory: "/var/../keyring" has a . or .. in it"#
            ]),
        BrokenConfiguration(
            5, "  directory: /var//keyring",
            [
                #"5: keyring.directory: "/var//keyring" has an empty part (// or / at its end)"#
            ]),
        BrokenConfiguration(
            5, "  directory: /var/keyring/",
            [
                #"5: keyring.directory: "/var/keyring/" has an empty part (// or / at its end)"#
            ]),
        BrokenConfiguration(5, "  directory: /", [#"5: keyring.directory: "/" is the root folder"#]),
        BrokenConfiguration(
            5, "  directory: ~/keyring",
            [
                #"5: keyring.directory: "~/keyring" is not an absolute path"#
            ]),
        BrokenConfiguration(5, "  directory: {}", ["5: keyring.directory: expected text, found a mapping"]),
        BrokenConfiguration(
            5, "  directory: /" + String(repeating: "a", count: 5000) + "",
            [
                "5: keyring.directory: is longer than 4096 bytes"
            ]),
        BrokenConfiguration(5, "  dir: /x", ["5: keyring.dir: unknown key"]),
        BrokenConfiguration(6, "  minimumSeals: 0", ["6: keyring.minimumSeals: 0 is not between 1 and 32"]),
        BrokenConfiguration(
            6, "  openDeadline: 500ms", ["6: keyring.openDeadline: 500ms is not between 1s and 1h"]),
        BrokenConfiguration(6, "  minimumSeals: -1", ["6: keyring.minimumSeals: -1 is not between 1 and 32"]),
        BrokenConfiguration(
            6, "  minimumSeals: 2",
            [
                "6: keyring.minimumSeals: 2 is more than the number of backends that seal and open (1)"
            ]),
        BrokenConfiguration(6, "  minimumSeals: 33", ["6: keyring.minimumSeals: 33 is not between 1 and 32"]),
        BrokenConfiguration(6, "  minimumSeals: all", ["6: keyring.minimumSeals: expected a whole number, found text"]),
        BrokenConfiguration(
            6, "  minimumSeals: 1.5",
            [
                "6: keyring.minimumSeals: expected a whole number, found a number"
            ]),
        BrokenConfiguration(
            6, "  minimumSeals: 0x1",
            [
                "6: keyring.minimumSeals: expected a whole number, found a number"
            ]),
        BrokenConfiguration(
            6, "  minimumSeals: 01",
            [
                "6: keyring.minimumSeals: expected a whole number, found a number"
            ]),
        BrokenConfiguration(
            6, "  minimumSeals: 99999999999999999999",
            [
                "6: keyring.minimumSeals: expected a whole number, found a number"
            ]),
        BrokenConfiguration(
            6, #"  minimumSeals: "1""#,
            [
                "6: keyring.minimumSeals: expected a whole number, found text"
            ]),
        BrokenConfiguration(
            6, "  trustedKeyIDs: prod/1/aaaabbbbccccdddd/eeeeffff",
            ["6: keyring.trustedKeyIDs: expected a list, found text"]),
        BrokenConfiguration(
            6, "  trustedKeyIDs: [7]", ["6: keyring.trustedKeyIDs[0]: expected text, found a number"]),
        BrokenConfiguration(
            6, "  trustedKeyIDs: [prod/1/aaaabbbbccccdddd]",
            [#"6: keyring.trustedKeyIDs[0]: "prod/1/aaaabbbbccccdddd" is not a key_id"#]),
        BrokenConfiguration(
            6, "  trustedKeyIDs: [prod/01/aaaabbbbccccdddd/eeeeffff]",
            [#"6: keyring.trustedKeyIDs[0]: "prod/01/aaaabbbbccccdddd/eeeeffff" is not a key_id"#]),
        BrokenConfiguration(
            6, "  trustedKeyIDs: [prod/1/AAAABBBBCCCCDDDD/eeeeffff]",
            [#"6: keyring.trustedKeyIDs[0]: "prod/1/AAAABBBBCCCCDDDD/eeeeffff" is not a key_id"#]),
        BrokenConfiguration(
            6, "  trustedKeyIDs: [prod/1/aaaabbbbccccdddd/eeeeffff, test/1/aaaabbbbccccdddd/eeeeffff]",
            [#"6: keyring.trustedKeyIDs[1]: is a key_id of the keyring "test""#]),
        BrokenConfiguration(6, "  minimumSeals:", ["6: keyring.minimumSeals: has no value"]),
        BrokenConfiguration(6, "  minimumSeal: 1", ["6: keyring.minimumSeal: unknown key"]),
    ]
}
