"""gRPC stubs, generated from the .proto files beside this one each time a client starts."""

import os
import sys
import tempfile

sys.dont_write_bytecode = True

from grpc_tools import protoc  # noqa: E402


def _generate():
    here = os.path.dirname(os.path.abspath(__file__))
    with tempfile.TemporaryDirectory() as folder:
        for name in ("kms_v2.proto", "kms_v1beta1.proto"):
            code = protoc.main(["protoc", "-I" + here, "--python_out=" + folder, "--grpc_python_out=" + folder,
                                os.path.join(here, name)])
            if code != 0:
                raise SystemExit("%s: protoc ends with %d" % (name, code))
        sys.path.insert(0, folder)
        import kms_v1beta1_pb2
        import kms_v1beta1_pb2_grpc
        import kms_v2_pb2
        import kms_v2_pb2_grpc
        sys.path.remove(folder)
    return kms_v2_pb2, kms_v2_pb2_grpc, kms_v1beta1_pb2, kms_v1beta1_pb2_grpc


v2, v2_grpc, v1, v1_grpc = _generate()
