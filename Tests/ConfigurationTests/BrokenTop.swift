extension BrokenConfiguration {
    static let top: [BrokenConfiguration] = [
        BrokenConfiguration(1, "", ["2: apiVersion: is missing"]),
        BrokenConfiguration(
            1, "apiVersion: trousseau/v1",
            [
                #"1: apiVersion: "trousseau/v1" is not known to this version"#
            ]),
        BrokenConfiguration(1, "apiVersion: 1", ["1: apiVersion: expected text, found a number"]),
        BrokenConfiguration(1, "apiVersion:", ["1: apiVersion: has no value"]),
        BrokenConfiguration(
            1, "apiversion: trousseau/v1alpha1",
            [
                "1: apiVersion: is missing",
                "1: apiversion: unknown key",
            ]),
        BrokenConfiguration(1, "apiVersion: [trousseau/v1alpha1]", ["1: apiVersion: expected text, found a list"]),
        BrokenConfiguration(2, "", ["1: kind: is missing"]),
        BrokenConfiguration(2, "kind: Configuration", [#"2: kind: "Configuration" is not known to this version"#]),
        BrokenConfiguration(2, "kind: true", ["2: kind: expected text, found true"]),
        BrokenConfiguration(2, "kind: {}", ["2: kind: expected text, found a mapping"]),
        BrokenConfiguration(
            2, "kind: PluginConfiguration\nkind: PluginConfiguration",
            [
                "3: kind: occurs twice, first in line 2"
            ]),
        BrokenConfiguration(2, "kind: PluginConfiguration\nbackend: []", ["3: backend: unknown key"]),
        BrokenConfiguration(
            2, "kind: PluginConfiguration\nrotation: {leader: true}",
            [
                "3: rotation: is not in this version"
            ]),
        BrokenConfiguration(
            2, "kind: PluginConfiguration\ndirectory: /var/lib/trousseau/keyring",
            [
                "3: directory: unknown key"
            ]),
        BrokenConfiguration(2, "kind: PluginConfiguration\n? [a, b]\n: 1", ["3: : a key has to be text"]),
        BrokenConfiguration(2, #"kind: PluginConfiguration\#n"a\nb": 1"#, [#"3: "a\nb": unknown key"#]),
        BrokenConfiguration(2, "kind: PluginConfiguration\n1: 1", ["3: 1: unknown key"]),
        BrokenConfiguration(2, "kind: PluginConfiguration\n<<: {a: 1}", ["3: <<: merge keys are not allowed"]),
        BrokenConfiguration(
            2, "kind: &a PluginConfiguration",
            [
                "2: kind: anchors (&name) and aliases (*name) are not allowed"
            ]),
        BrokenConfiguration(2, "kind: *a", ["2: kind: anchors (&name) and aliases (*name) are not allowed"]),
        BrokenConfiguration(2, "kind: !!str PluginConfiguration", ["2: kind: tags (!type) are not allowed"]),
        BrokenConfiguration(
            2, #"kind: "PluginConfiguration"#,
            [
                "8: : is not YAML: while parsing a block mapping: did not find expected key"
            ]),
        BrokenConfiguration(
            2, "\tkind: x",
            [
                "2: : is not YAML: while scanning a plain scalar: found a tab character that violates indentation"
            ]),
        BrokenConfiguration(
            2, "kind: 'x' y",
            [
                "2: : is not YAML: while parsing a block mapping: did not find expected key"
            ]),
        BrokenConfiguration(
            2, "kind: [a",
            [
                "3: : is not YAML: while parsing a flow sequence: did not find expected ',' or ']'"
            ]),
        BrokenConfiguration(
            2, "kind: }",
            [
                "2: : is not YAML: while parsing a block node: did not find expected node content"
            ]),
        BrokenConfiguration(
            2, "kind: @x",
            [
                "2: : is not YAML: while scanning for the next token: found character that cannot start any token"
            ]),
        BrokenConfiguration(2, #"kind: "\u0000""#, ["2: kind: contains a control character"]),
        BrokenConfiguration(2, #"kind: "a\x1b[2J""#, ["2: kind: contains a control character"]),
        BrokenConfiguration(2, " kind: x", ["2: : is not YAML: mapping values are not allowed in this context"]),
        BrokenConfiguration(
            2, "kind: PluginConfiguration\n---\nkind: x",
            [
                "1: keyring: is missing",
                "1: backends: is missing",
                "3: : a second document begins here",
            ]),
        BrokenConfiguration(
            2, "kind: [[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]",
            [
                "2: : is nested deeper than 16 levels"
            ]),
        BrokenConfiguration(2, "kind: |\n  PluginConfiguration\n  x", ["2: kind: contains a control character"]),
        BrokenConfiguration(
            2, #"kind: "a\qb""#,
            [
                "2: : is not YAML: while parsing a quoted scalar: found unknown escape character"
            ]),
    ]
}
