extension BrokenConfiguration {
    private static let prefix = "kind: PluginConfiguration\n"

    static let operations: [BrokenConfiguration] = [
        BrokenConfiguration(
            2, prefix + #"metrics: {listen: "0.0.0.0:9441"}"#,
            [#"3: metrics.listen: "0.0.0.0:9441" is not a loopback address"#]),
        BrokenConfiguration(
            2, prefix + #"metrics: {listen: "10.0.0.1:9441"}"#,
            [#"3: metrics.listen: "10.0.0.1:9441" is not a loopback address"#]),
        BrokenConfiguration(
            2, prefix + #"metrics: {listen: "128.0.0.1:9441"}"#,
            [#"3: metrics.listen: "128.0.0.1:9441" is not a loopback address"#]),
        BrokenConfiguration(
            2, prefix + #"metrics: {listen: "[::]:9441"}"#,
            [#"3: metrics.listen: "[::]:9441" is not a loopback address"#]),
        BrokenConfiguration(
            2, prefix + #"metrics: {listen: "[::ffff:127.0.0.1]:9441"}"#,
            [#"3: metrics.listen: "[::ffff:127.0.0.1]:9441" is not a loopback address"#]),
        BrokenConfiguration(
            2, prefix + #"metrics: {listen: ":9441"}"#, [#"3: metrics.listen: ":9441" is not a loopback address"#]),
        BrokenConfiguration(
            2, prefix + #"metrics: {listen: "::1:9441"}"#, [#"3: metrics.listen: "::1:9441" is not a loopback address"#]
        ),
        BrokenConfiguration(
            2, prefix + #"metrics: {listen: "127.1:9441"}"#,
            [#"3: metrics.listen: "127.1:9441" is not a loopback address"#]),
        BrokenConfiguration(
            2, prefix + #"metrics: {listen: "127.0.0.256:9441"}"#,
            [#"3: metrics.listen: "127.0.0.256:9441" is not a loopback address"#]),
        BrokenConfiguration(
            2, prefix + #"metrics: {listen: "127.0.0.01:9441"}"#,
            [#"3: metrics.listen: "127.0.0.01:9441" is not a loopback address"#]),
        BrokenConfiguration(
            2, prefix + #"metrics: {listen: "2130706433:9441"}"#,
            [#"3: metrics.listen: "2130706433:9441" is not a loopback address"#]),
        BrokenConfiguration(
            2, prefix + #"metrics: {listen: "metrics.example:9441"}"#,
            [#"3: metrics.listen: "metrics.example:9441" is not a loopback address"#]),
        BrokenConfiguration(
            2, prefix + #"metrics: {listen: "127.0.0.1"}"#, [#"3: metrics.listen: "127.0.0.1" has no port"#]),
        BrokenConfiguration(
            2, prefix + #"metrics: {listen: "localhost:9441"}"#,
            [#"3: metrics.listen: "localhost:9441" has a name, and names are not looked up"#]),
        BrokenConfiguration(
            2, prefix + #"metrics: {listen: "127.0.0.1:0"}"#,
            [#"3: metrics.listen: "127.0.0.1:0" has no port from 1 to 65535"#]),
        BrokenConfiguration(
            2, prefix + #"metrics: {listen: "127.0.0.1:65536"}"#,
            [#"3: metrics.listen: "127.0.0.1:65536" has no port from 1 to 65535"#]),
        BrokenConfiguration(
            2, prefix + #"metrics: {listen: "127.0.0.1:+80"}"#,
            [#"3: metrics.listen: "127.0.0.1:+80" has no port from 1 to 65535"#]),
        BrokenConfiguration(
            2, prefix + #"metrics: {listen: "127.0.0.1:"}"#,
            [#"3: metrics.listen: "127.0.0.1:" has no port from 1 to 65535"#]),
        BrokenConfiguration(
            2, prefix + #"metrics: {listen: "127.0.0.1:09441"}"#,
            [#"3: metrics.listen: "127.0.0.1:09441" has no port from 1 to 65535"#]),
        BrokenConfiguration(
            2, prefix + #"metrics: {listen: "[::1]:99999999999999999999"}"#,
            [#"3: metrics.listen: "[::1]:99999999999999999999" has no port from 1 to 65535"#]),
        BrokenConfiguration(
            2, prefix + #"metrics: {listen: "/run/../metrics.sock"}"#,
            [#"3: metrics.listen: "/run/../metrics.sock" has a . or .. in it"#]),
        BrokenConfiguration(2, prefix + "metrics: {}", ["3: metrics.listen: is missing"]),
        BrokenConfiguration(2, prefix + "metrics: true", ["3: metrics: expected a mapping, found true"]),
        BrokenConfiguration(
            2, prefix + "metrics: {listen: 9441}", ["3: metrics.listen: expected text, found a number"]),
        BrokenConfiguration(
            2, prefix + "metrics: {listen: \"[::1]:9441\", tls: true}", ["3: metrics.tls: unknown key"]),
        BrokenConfiguration(
            2, prefix + "metrics: {listen: /run/trousseau/kms.sock}",
            ["3: metrics.listen: is a socket of section server too"]),
        BrokenConfiguration(2, prefix + "log: {format: xml}", [#"3: log.format: "xml" is not known"#]),
        BrokenConfiguration(2, prefix + "log: {level: INFO}", [#"3: log.level: "INFO" is not known"#]),
        BrokenConfiguration(2, prefix + "log: {levels: info}", ["3: log.levels: unknown key"]),
        BrokenConfiguration(2, prefix + "log: json", ["3: log: expected a mapping, found text"]),
    ]
}
