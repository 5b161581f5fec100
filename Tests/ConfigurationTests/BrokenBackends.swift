extension BrokenConfiguration {
    static let backends: [BrokenConfiguration] = [
        BrokenConfiguration(
            10, "backends:\n- {}",
            [
                "11: backends[0].name: is missing",
                "11: backends[0]: has no kind",
            ]),
        BrokenConfiguration(10, "backends: []\nx:", ["10: backends: is empty", "11: x: unknown key"]),
        BrokenConfiguration(10, "backend:", ["1: backends: is missing", "10: backend: unknown key"]),
        BrokenConfiguration(
            11, "- nme: rack-hsm",
            [
                "11: backends[0].name: is missing",
                "11: backends[0].nme: unknown key",
            ]),
        BrokenConfiguration(11, "- name: Rack HSM", [#"11: backends[0].name: "Rack HSM" is not an RFC 1123 label"#]),
        BrokenConfiguration(11, "- name: 7", ["11: backends[0].name: expected text, found a number"]),
        BrokenConfiguration(
            11, "- unsealOnly: true",
            [
                "10: backends: all of them are unsealOnly",
                "11: backends[0].name: is missing",
            ]),
        BrokenConfiguration(
            11, "- unsealOnly: maybe\n  name: rack-hsm",
            [
                "11: backends[0].unsealOnly: expected true or false, found text"
            ]),
        BrokenConfiguration(11, "- name: rack-hsm\n  unsealOnly: true", ["10: backends: all of them are unsealOnly"]),
        BrokenConfiguration(11, "- name: rack-hsm\n  mode: direct", ["12: backends[0].mode: is not in this version"]),
        BrokenConfiguration(
            12, "  hedgeAfter: 5ms", ["12: backends[0].hedgeAfter: 5ms is not between 10ms and 10m"]),
        BrokenConfiguration(12, "  hedgeAfter: 1", ["12: backends[0].hedgeAfter: expected a duration, found a number"]),
        BrokenConfiguration(
            12, "  hedgeAfter: 10s", ["12: backends[0].hedgeAfter: 10s is not shorter than the deadline, 10s"]),
        BrokenConfiguration(12, "  deadline: 10", ["12: backends[0].deadline: expected a duration, found a number"]),
        BrokenConfiguration(12, "  deadline: 0s", ["12: backends[0].deadline: 0s is not between 100ms and 10m"]),
        BrokenConfiguration(12, "  deadline: 50ms", ["12: backends[0].deadline: 50ms is not between 100ms and 10m"]),
        BrokenConfiguration(12, "  deadline: 11m", ["12: backends[0].deadline: 11m is not between 100ms and 10m"]),
        BrokenConfiguration(12, "  deadline: 1d", [#"12: backends[0].deadline: "1d" is not a duration"#]),
        BrokenConfiguration(12, "  deadline: 10 s", [#"12: backends[0].deadline: "10 s" is not a duration"#]),
        BrokenConfiguration(12, "  deadline: -1s", [#"12: backends[0].deadline: "-1s" is not a duration"#]),
        BrokenConfiguration(12, "  deadline: ten", [#"12: backends[0].deadline: "ten" is not a duration"#]),
        BrokenConfiguration(12, "  deadline: [10s]", ["12: backends[0].deadline: expected a duration, found a list"]),
        BrokenConfiguration(12, #"  deadline: """#, [#"12: backends[0].deadline: "" is not a duration"#]),
        BrokenConfiguration(12, "  deadline: 1.5s", [#"12: backends[0].deadline: "1.5s" is not a duration"#]),
        BrokenConfiguration(
            12, "  deadline: 9999999999s",
            [
                #"12: backends[0].deadline: "9999999999s" is not a duration"#
            ]),
        BrokenConfiguration(
            13, #"  tpm: {device: "device:/dev/tpmrm0"}\#n  pkcs11:"#,
            [
                "11: backends[0]: has more than one kind: tpm and pkcs11"
            ]),
        BrokenConfiguration(13, "  pkcs12:", ["11: backends[0]: has no kind", "13: backends[0].pkcs12: unknown key"]),
        BrokenConfiguration(
            13, "  pkcs11: []\n  x:",
            [
                "13: backends[0].pkcs11: expected a mapping, found a list",
                "14: backends[0].x: unknown key",
            ]),
        BrokenConfiguration(
            13, "  vault:",
            [
                "14: backends[0].vault.address: is missing", "14: backends[0].vault: has no way to log in",
                "14: backends[0].vault.module: unknown key", "16: backends[0].vault.pinSource: unknown key",
            ]),
        BrokenConfiguration(
            13, "  pkcs11: {}\n  recovery:\n    certificate: /etc/trousseau/recovery.pem\n  y:",
            [
                "11: backends[0]: has more than one kind: pkcs11 and recovery",
                "13: backends[0].pkcs11.module: is missing",
                "13: backends[0].pkcs11.key: is missing",
                "16: backends[0].y: unknown key",
            ]),
        BrokenConfiguration(
            11, "- name: offline\n  recovery: {certificate: /r.pem}\n- name: rack-hsm\n  unsealOnly: true",
            ["10: backends: none of those that open seals makes them: they are unsealOnly"]),
        BrokenConfiguration(
            10, "backends:\n- name: offline\n  unsealOnly: true\n  recovery: {certificate: recovery.pem}\nx:",
            [
                "10: backends: all of them are unsealOnly",
                "12: backends[0].unsealOnly: a recovery key opens nothing here",
                #"13: backends[0].recovery.certificate: "recovery.pem" is not an absolute path"#,
                "14: x: unknown key",
            ]),
        BrokenConfiguration(
            10, "backends:\n- name: offline\n  recovery:\n    key: /etc/trousseau/offline.pem\nx:",
            [
                "10: backends: none of them opens what it seals",
                "13: backends[0].recovery.key: the private key does not belong on this machine",
                "13: backends[0].recovery.certificate: is missing",
                "14: x: unknown key",
            ]),
        BrokenConfiguration(14, "", ["15: backends[0].pkcs11.module: is missing"]),
        BrokenConfiguration(
            14, "    module: libsofthsm2.so",
            [
                #"14: backends[0].pkcs11.module: "libsofthsm2.so" is not an absolute path"#
            ]),
        BrokenConfiguration(
            14, "    module: ./libsofthsm2.so",
            [
                #"14: backends[0].pkcs11.module: "./libsofthsm2.so" is not an absolute path"#
            ]),
        BrokenConfiguration(14, "    module: 1", ["14: backends[0].pkcs11.module: expected text, found a number"]),
        BrokenConfiguration(
            14, "    modul: /x",
            [
                "14: backends[0].pkcs11.module: is missing",
                "14: backends[0].pkcs11.modul: unknown key",
            ]),
        BrokenConfiguration(14, "    module: /a\n    modules: /b", ["15: backends[0].pkcs11.modules: unknown key"]),
        BrokenConfiguration(15, "", ["14: backends[0].pkcs11.key: is missing"]),
        BrokenConfiguration(15, "    key: kek-sealer", ["15: backends[0].pkcs11.key: is not a PKCS#11 URI"]),
        BrokenConfiguration(
            15, #"    key: "pkcs11:token=a;object=b?pin-value=1234""#,
            [
                "15: backends[0].pkcs11.key: has a pin-value: secrets do not belong into the configuration"
            ]),
        BrokenConfiguration(
            15, #"    key: "pkcs11:token=a;object=b?PIN-VALUE=1234""#,
            [
                "15: backends[0].pkcs11.key: has a pin-value: secrets do not belong into the configuration"
            ]),
        BrokenConfiguration(15, "    key: 1", ["15: backends[0].pkcs11.key: expected text, found a number"]),
        BrokenConfiguration(15, #"    key: "pkcs11:tokn=a""#, ["15: backends[0].pkcs11.key: unknown attribute"]),
        BrokenConfiguration(
            15, #"    keys: "pkcs11:token=a""#,
            [
                "14: backends[0].pkcs11.key: is missing",
                "15: backends[0].pkcs11.keys: unknown key",
            ]),
        BrokenConfiguration(15, "    key: {}", ["15: backends[0].pkcs11.key: expected text, found a mapping"]),
        BrokenConfiguration(15, #"    key: "PKCS11:token=a""#, ["15: backends[0].pkcs11.key: is not a PKCS#11 URI"]),
        BrokenConfiguration(
            16, "    pin: 1234",
            [
                "16: backends[0].pkcs11.pin: secrets do not belong into the configuration"
            ]),
        BrokenConfiguration(
            16, "    pin-value: 1234",
            [
                "16: backends[0].pkcs11.pin-value: secrets do not belong into the configuration"
            ]),
        BrokenConfiguration(
            16, #"    PIN: "1234""#,
            [
                "16: backends[0].pkcs11.PIN: secrets do not belong into the configuration"
            ]),
        BrokenConfiguration(
            16, "    password: x",
            [
                "16: backends[0].pkcs11.password: secrets do not belong into the configuration"
            ]),
        BrokenConfiguration(
            16, "    pinSource: hsm.pin",
            [
                "16: backends[0].pkcs11.pinSource: is not an absolute path"
            ]),
        BrokenConfiguration(
            16, #"    pinSource: "|cat /etc/pin""#,
            [
                "16: backends[0].pkcs11.pinSource: is not an absolute path"
            ]),
        BrokenConfiguration(
            16, "    pinSource: 1234",
            [
                "16: backends[0].pkcs11.pinSource: expected text, found a number"
            ]),
        BrokenConfiguration(
            16, #"    pinSource: "1234""#,
            [
                "16: backends[0].pkcs11.pinSource: is not an absolute path"
            ]),
        BrokenConfiguration(16, "    pinsource: /etc/pin", ["16: backends[0].pkcs11.pinsource: unknown key"]),
        BrokenConfiguration(16, "    pinFile: /etc/pin", ["16: backends[0].pkcs11.pinFile: unknown key"]),
        BrokenConfiguration(
            16, "    token: trousseau",
            [
                "16: backends[0].pkcs11.token: the key is selected by its URI"
            ]),
        BrokenConfiguration(16, "    slot: 0", ["16: backends[0].pkcs11.slot: the key is selected by its URI"]),
        BrokenConfiguration(
            16, "    maxSessions: 0",
            [
                "16: backends[0].pkcs11.maxSessions: 0 is not between 1 and 16"
            ]),
        BrokenConfiguration(
            16, "    maxSessions: 17",
            [
                "16: backends[0].pkcs11.maxSessions: 17 is not between 1 and 16"
            ]),
        BrokenConfiguration(
            16, "    maxSessions: many",
            [
                "16: backends[0].pkcs11.maxSessions: expected a whole number, found text"
            ]),
        BrokenConfiguration(
            16, "    allowUnsafeKey: no",
            [
                "16: backends[0].pkcs11.allowUnsafeKey: expected true or false, found text"
            ]),
        BrokenConfiguration(16, "    allowUnsafeKeys: true", ["16: backends[0].pkcs11.allowUnsafeKeys: unknown key"]),
        BrokenConfiguration(
            16, "    allowSHA1OAEP: 1",
            ["16: backends[0].pkcs11.allowSHA1OAEP: expected true or false, found a number"]),
        BrokenConfiguration(
            16, #"    allowPINCountLow: "false""#,
            [
                "16: backends[0].pkcs11.allowPINCountLow: expected true or false, found text"
            ]),
        BrokenConfiguration(16, "    unsealOnly: true", ["16: backends[0].pkcs11.unsealOnly: unknown key"]),
        BrokenConfiguration(
            16, #"    pinSource: /etc/pin\#n- name: rack-hsm\#n  pkcs11: {module: /m, key: "pkcs11:token=b"}"#,
            [
                #"17: backends[1].name: "rack-hsm" is the name of the backend in line 11 too"#
            ]),
        BrokenConfiguration(
            16, #"    pinSource: /etc/pin\#n- pkcs11: {module: /m, key: "pkcs11:token=b"}"#,
            [
                "17: backends[1].name: is missing"
            ]),
        BrokenConfiguration(
            16,
            #"    pinSource: /etc/pin\#n- name: node-tpm\#n  tpm: {device: "device:/dev/tpmrm0"}\#n- name: vault\#n  vault: {address: "https://vault.example:8200"}\#n- rack"#,
            [
                "20: backends[2].vault.key: is missing",
                "20: backends[2].vault: has no way to log in",
                "21: backends[3]: expected a mapping, found text",
            ]),
        BrokenConfiguration(
            16, "    pinSource: /etc/pin\n- name: other\n  pkcs11: {module: m, key: k, pin: 1}",
            [
                "18: backends[1].pkcs11.pin: secrets do not belong into the configuration",
                #"18: backends[1].pkcs11.module: "m" is not an absolute path"#,
                "18: backends[1].pkcs11.key: is not a PKCS#11 URI",
            ]),
    ]
}
