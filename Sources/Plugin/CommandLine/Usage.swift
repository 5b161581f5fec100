/// What `trousseau help` prints, word for word.
enum Usage {
    enum Topic: String, CaseIterable {
        case overview = "help"
        case initialize = "init"
        case serve, status, stop, doctor
        case encryptionConfig = "encryption-config"
        case version, kms, bench
        case reseal
        case recoveryKey = "recovery-key"
        case recover
    }

    static func text(_ topic: Topic) -> String {
        switch topic {
        case .overview: overview
        case .initialize: initialize
        case .serve: serve
        case .status: status
        case .stop: stop
        case .doctor: doctor
        case .encryptionConfig: encryptionConfig
        case .version: version
        case .kms: kms
        case .bench: bench
        case .reseal: reseal
        case .recoveryKey: recoveryKey
        case .recover: recover
        }
    }

    private static let overview = """
        usage: trousseau COMMAND [OPTIONS]

        A Kubernetes KMS plugin. Its keys are sealed by hardware, and in clear only in memory.

          init               make the keyring and its first key, sealed to every backend
          serve              run the plugin
          status             keys, seals and backends of the plugin
          stop               end the running plugin
          doctor             check everything a start needs
          encryption-config  print the configuration for kube-apiserver
          kms                ask any KMS plugin: status, encrypt, decrypt
          bench              measure any KMS plugin
          reseal             make missing seals, renew broken ones, replace sealing keys
          recovery-key       make a key that is kept offline, for recover
          recover            make a lost keyring anew from its record files
          version            print the version
          help [COMMAND]     print this, or how to use a command

        Exit codes: 0 done, 1 failed, 2 usage, 3 configuration, 4 keyring, 5 not running.

        """

    private static let initialize = """
        usage: trousseau init [--config FILE] [--generate-keys] [--output text|json]

        Makes the keyring that the configuration names, with one key (KEK), seals it to every backend, opens each seal
        again, and prints the key_id: keep that, it tells this keyring from a forged one. Never touches an existing
        keyring.

          --config FILE      default /etc/trousseau/config.yaml
          --generate-keys    make sealing keys that do not exist yet; existing ones are never touched
          --output FORMAT    text (default) or json

        """

    private static let serve = """
        usage: trousseau serve [--config FILE]

        Runs the plugin in the foreground. Logs to standard error. Ends on SIGTERM, SIGINT or `trousseau stop`, after
        the calls in flight; a second signal ends it at once. SIGHUP is ignored: the configuration is read at start.

          --config FILE      default /etc/trousseau/config.yaml

        """

    private static let status = """
        usage: trousseau status [--config FILE] [--output text|json]

        Shows keys, seals and backends of the running plugin, asked through its control socket; or, when none runs, what
        the keyring's files say.

          --config FILE      default /etc/trousseau/config.yaml
          --output FORMAT    text (default) or json

        """

    private static let stop = """
        usage: trousseau stop [--config FILE]

        Ends the running plugin through its control socket, as SIGTERM does.

          --config FILE      default /etc/trousseau/config.yaml

        """

    private static let doctor = """
        usage: trousseau doctor [--config FILE] [--output text|json]

        Checks everything a start needs, and says how to mend it. Changes nothing. Exit code 1 when something is wrong.

          --config FILE      default /etc/trousseau/config.yaml
          --output FORMAT    text (default) or json

        """

    private static let encryptionConfig = """
        usage: trousseau encryption-config [--config FILE | --socket PATH] [--api v2|v1] [--name NAME]

        Prints an EncryptionConfiguration for kube-apiserver.

          --config FILE      where the socket's path is read; default /etc/trousseau/config.yaml
          --socket PATH      the socket as kube-apiserver sees it
          --api API          v2 (default) or v1
          --name NAME        the provider's name, in etcd before every value: never change it; default trousseau

        """

    private static let version = """
        usage: trousseau version [--output text|json]

        """

    private static let kms = """
        usage: trousseau kms status  --socket PATH [--api v2|v1] [--timeout TIME] [--output text|json]
               trousseau kms encrypt --socket PATH [--api v2|v1] [--timeout TIME] [--in FILE] [--output json|text]
               trousseau kms decrypt --socket PATH [--api v2|v1] [--timeout TIME] [--in FILE] [--output text|json]

        Asks any KMS plugin, as kube-apiserver would. encrypt reads the plaintext from FILE or standard input; decrypt
        reads what encrypt printed, and writes the plaintext itself, or with --output json in base64.

          --socket PATH      the plugin's socket; unix:///… is understood too
          --api API          v2 (default) or v1
          --timeout TIME     default 3s, as kube-apiserver's
          --in FILE          default standard input

        """

    private static let bench = """
        usage: trousseau bench --socket PATH [--operation OPERATION] [--concurrency N] [--connections N]
                               [--duration TIME] [--pid PID] [--output text|json]

        Measures any KMS plugin: calls per second, times of answers, errors.

          --socket PATH      the plugin's socket; unix:///… is understood too
          --operation WHAT   status, encrypt, decrypt, v1-encrypt, v1-decrypt, or all (default), each in turn
          --concurrency N    calls at the same time, default 16
          --connections N    over so many connections, default 1
          --duration TIME    of each operation, default 5s
          --pid PID          the server's process: shows its CPU time a call and its memory
          --output FORMAT    text (default) or json

        """

    private static let reseal = """
        usage: trousseau reseal [--config FILE] [--backend NAME] [--generate-keys] [--pcrs STATE...]
                                [--drop-replaced [--yes]] [--output text|json]

        Opens every seal of every key (KEK), makes those that are missing and renews those that do not open, that were
        made under another policy, or whose sealing key has a newer version. A new seal counts, and replaces an old one,
        only after it was opened. Asks the running plugin, which knows the configuration of its start, or works on the
        files when none runs. Exit code 1 when a seal could not be made or opened.

          --config FILE      default /etc/trousseau/config.yaml
          --backend NAME     renew this backend's seals although they open; also accepts its new sealing key
          --generate-keys    make sealing keys that do not exist yet; existing ones are never touched
          --pcrs STATE...    seal besides to the TPM's PCRs as an update will make them, and keep the seal to the present
                             ones: sha256:7+11=HEX is PCR 11 with that value and 7 as it is. The states of an earlier
                             --pcrs are dropped, and a reseal without --pcrs drops them, too
          --drop-replaced    remove the sealing keys of backends with unsealOnly from the keyring, for good, and seals
                             that open without the PIN that their backend has now; only where every other backend's
                             seal was opened in this run
          --yes              do not ask before that
          --output FORMAT    text (default) or json

        """

    private static let recoveryKey = """
        usage: trousseau recovery-key new --out-key FILE --out-certificate FILE [--type TYPE]
                                          [--passphrase-file FILE | --no-passphrase]

        Makes a key to which every KEK can be sealed, and which is kept offline until all else is lost: the private key,
        and a certificate of it for the configuration. Neither file may exist yet. Asks for a passphrase on the terminal.

          --out-key FILE           the private key, PKCS#8 in PEM, mode 0600
          --out-certificate FILE   the certificate, PEM
          --type TYPE              p384 (default), p256, rsa3072 or rsa4096
          --passphrase-file FILE   the passphrase in one line, 12 bytes or more
          --no-passphrase          leaves the private key in clear

        """

    private static let recover = """
        usage: trousseau recover --from PATH... [--key FILE] [--passphrase-file FILE] [--key-id KEY_ID]
                                 [--config FILE] [--generate-keys] [--output text|json]

        Makes the keyring that the configuration names anew, from the records of a lost one: opens their KEKs with the
        offline key, or with any backend that still can, and seals them to every backend. They only decrypt; a new KEK
        encrypts. Never touches an existing keyring, nor what it reads. docs/recovery.md has the whole way.

          --from PATH...           a keyring's folder, or record files
          --key FILE               the private key, PEM; without it, only the configured backends are asked
          --passphrase-file FILE   its passphrase; without it, asked for on the terminal if the key is encrypted
          --key-id KEY_ID          as init, rotate or recover printed it, several with commas between; without it, asked
                                   for on the terminal. Tells the keyring's own KEK from a forged one
          --config FILE            default /etc/trousseau/config.yaml
          --generate-keys          make sealing keys that do not exist yet
          --output FORMAT          text (default) or json

        """
}
