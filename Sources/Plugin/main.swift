import CGRPC
import COpenSSL
import CP11Kit
import CYAML
import CLinux
import CKMSProto
print(grpc_version_string() as Any, OPENSSL_VERSION_MAJOR)
