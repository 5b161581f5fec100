internal import Configuration

/// `trousseau encryption-config`.
enum EncryptionConfigCommand {
    static func run(_ options: Command.EncryptionConfig) throws(CommandFailure) -> ExitCode {
        var socket = options.socket ?? ""
        if options.socket == nil {
            socket = try ConfigurationLoading.load(options.configuration).server.socket.path
        } else if socket.hasPrefix("unix://") {
            socket = String(socket.dropFirst("unix://".utf8.count))
        }
        guard socket.hasPrefix("/") || socket.hasPrefix("@") else {
            throw CommandFailure(.usage, "encryption-config: --socket is not an absolute path")
        }
        StandardStreams.write(text(socket: socket, api: options.api, name: options.name))
        return .success
    }

    /// The file for kube-apiserver, its flags as comments.
    static func text(socket: String, api: Command.API, name: String) -> String {
        let endpoint = socket.hasPrefix("@") ? "unix:///\(socket)" : "unix://\(socket)"
        let flags =
            switch api {
            case .v2: "#   --encryption-provider-config-automatic-reload=true"
            case .v1:
                """
                #   --encryption-provider-config-automatic-reload=true
                #   --feature-gates=KMSv1=true        (KMS v1 is deprecated: use v2 from Kubernetes 1.29 on)
                """
            }
        let provider =
            switch api {
            case .v2: "apiVersion: v2"
            case .v1: "apiVersion: v1\n      cachesize: 1000"
            }
        return """
            # For kube-apiserver:
            #   --encryption-provider-config=FILE     (this file, mode 0600)
            \(flags)
            # Where kube-apiserver is a static pod, mount the socket's folder into it. The plugin has to run first.
            # The provider's name stands before every value in etcd: never change it.
            # What is in etcd already is encrypted when it is next written:
            #   kubectl get secrets --all-namespaces -o json | kubectl replace -f -
            apiVersion: apiserver.config.k8s.io/v1
            kind: EncryptionConfiguration
            resources:
            - resources:
              - secrets
              providers:
              - kms:
                  \(provider)
                  name: \(name)
                  endpoint: \(endpoint)
                  timeout: 3s
              # Reads what is not encrypted yet. Remove it when everything was rewritten.
              - identity: {}

            """
    }
}
