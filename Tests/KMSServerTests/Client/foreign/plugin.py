#!/usr/bin/python3
"""A KMS plugin on Python's grpcio that answers rightly, or wrongly in one way.

usage: plugin.py SOCKET BEHAVIOUR

Messages are encoded by hand, so that they can be wrong, too. It "encrypts" by turning every bit, and writes "ready" when
it accepts connections.
"""

import os
import sys
import threading
import time
from concurrent import futures

import grpc

SOCKET, BEHAVIOUR = sys.argv[1:3]


def varint(number):
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def field(number, value):
    value = value.encode() if isinstance(value, str) else value
    return bytes([number << 3 | 2]) + varint(len(value)) + value


def fields(message):
    """All length-delimited fields of a message, as (number, bytes)."""
    result, at = [], 0

    def read():
        nonlocal at
        number, shift = 0, 0
        while True:
            byte = message[at]
            at += 1
            number |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return number

    while at < len(message):
        tag = read()
        assert tag & 7 == 2, "not length-delimited"
        size = read()
        assert at + size <= len(message), "cut off"
        result.append((tag >> 3, message[at : at + size]))
        at += size
    return result


def turned(data):
    return bytes(byte ^ 0xFF for byte in data)


KEY_ID = "foreign/1"
WRONG_STATUS = {
    "wrong-version": ("v1", "ok", KEY_ID),
    "empty-key-id": ("v2", "ok", ""),
    "long-key-id": ("v2", "ok", "k" * 1025),
    "unhealthy": ("v2", "the HSM\x1b[31m is away", KEY_ID),
    "not-utf8": ("v2", "ok", b"\xff\xfe"),
}
calls = decryptions = 0
lock = threading.Lock()
running = most = 0


def counted():
    """How many calls there were at once at most."""
    global running, most
    with lock:
        running += 1
        most = max(most, running)
    time.sleep(0.01)
    with lock:
        running -= 1
    return "%d at once" % most


def status(request, context):
    global calls
    calls += 1
    check(context, request == b"" and context.invocation_metadata() is not None)
    if BEHAVIOUR == "status-error":
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "no key\x1b[2J is open")
    if BEHAVIOUR == "slow":
        time.sleep(20)
    if BEHAVIOUR == "exit":
        os._exit(3)
    if BEHAVIOUR == "garbage":
        return b"\x0a\xff\xff"
    if BEHAVIOUR == "rotating":
        return field(1, "v2") + field(2, "ok") + field(3, "foreign/%d" % min(calls, 2))
    if BEHAVIOUR == "counting":
        return field(1, "v2") + field(2, counted()) + field(3, KEY_ID)
    version, healthz, key_id = WRONG_STATUS.get(BEHAVIOUR, ("v2", "ok", KEY_ID))
    # An unknown field, as a later version of the API may have one.
    return field(1, version) + field(2, healthz) + field(3, key_id) + field(15, "later")


def encrypt(request, context):
    values = dict(fields(request))
    check(context, len(values.get(2, b"")) == 36)
    ciphertext, key_id, annotations = turned(values.get(1, b"")), KEY_ID, {"kek.example": b"\x00\x01", "a.b": b""}
    if BEHAVIOUR == "empty-ciphertext":
        ciphertext = b""
    if BEHAVIOUR == "long-ciphertext":
        ciphertext = bytes(1025)
    if BEHAVIOUR == "other-key-id":
        key_id = "foreign/9"
    if BEHAVIOUR == "rotating":
        key_id = "foreign/2"
    if BEHAVIOUR == "slash":
        annotations = {"example.com/kek": b"x"}
    if BEHAVIOUR == "one-label":
        annotations = {"kek": b"x"}
    if BEHAVIOUR == "long-annotations":
        annotations = {"kek.example": bytes(32 * 1024)}
    entries = b"".join(field(3, field(1, key) + field(2, value)) for key, value in annotations.items())
    return field(1, ciphertext) + field(2, key_id) + entries


def decrypt(request, context):
    global decryptions
    decryptions += 1
    values = fields(request)
    single = dict(values)
    check(context, len(single[2]) == 36)
    if single[3] != KEY_ID.encode():
        context.abort(grpc.StatusCode.NOT_FOUND, "no such key")
    keys = sorted(fields(entry)[0] for number, entry in values if number == 4)
    check(context, keys == [(1, b"a.b"), (1, b"kek.example")])
    plaintext = turned(single.get(1, b""))
    if BEHAVIOUR == "wrong-plaintext":
        plaintext = turned(plaintext)
    # The client has asked for one while it prepared.
    if BEHAVIOUR == "wrong-later" and decryptions > 1:
        plaintext = turned(plaintext)
    if BEHAVIOUR == "exit-later" and decryptions > 50:
        os._exit(3)
    if BEHAVIOUR == "hang-later" and decryptions > 50:
        time.sleep(20)
    return field(1, plaintext)


def v1_version(request, context):
    check(context, fields(request) == [(1, b"v1beta1")])
    version = "v1" if BEHAVIOUR == "wrong-version" else "v1beta1"
    return field(1, version) + field(2, "foreign") + field(3, "1.0")


def v1_encrypt(request, context):
    values = dict(fields(request))
    check(context, values[1] == b"v1beta1")
    return field(1, b"" if BEHAVIOUR == "empty-ciphertext" else turned(values[2]))


def v1_decrypt(request, context):
    values = dict(fields(request))
    check(context, values[1] == b"v1beta1")
    return field(1, turned(values[2]))


def check(context, holds):
    if not holds:
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, "not what kube-apiserver sends")


def service(name, methods):
    handlers = {method: grpc.unary_unary_rpc_method_handler(function) for method, function in methods.items()}
    return grpc.method_handlers_generic_handler(name, handlers)


OPTIONS = [("grpc.so_reuseport", 0)]
if BEHAVIOUR == "short-connections":
    OPTIONS += [("grpc.max_connection_age_ms", 300), ("grpc.max_connection_age_grace_ms", 10)]
# Its threads are not waited for at the end: some sleep.
server = grpc.server(futures.ThreadPoolExecutor(8), options=OPTIONS)
services = [service("v2.KeyManagementService", {"Status": status, "Encrypt": encrypt, "Decrypt": decrypt})]
if BEHAVIOUR != "no-v1":
    v1 = {"Version": v1_version, "Encrypt": v1_encrypt, "Decrypt": v1_decrypt}
    services.append(service("v1beta1.KeyManagementService", v1))
server.add_generic_rpc_handlers(tuple(services))
assert server.add_insecure_port("unix:" + SOCKET if SOCKET[0] == "/" else "unix-abstract:" + SOCKET[1:])
server.start()
print("ready", flush=True)
server.wait_for_termination()
