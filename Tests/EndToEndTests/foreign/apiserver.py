"""Plays kube-apiserver, and worse clients, for the end-to-end tests.

    apiserver.py --socket PATH [--authority TEXT] [--uid N --gid N]

Takes commands as JSON, one a line, from descriptor 3: {"do": NAME, …}. Answers each with two lines on standard output:
JSON, which is what the command returns or {"error": TEXT}, and "N done". Ends when descriptor 3 does.
"""

import argparse
import json
import os
import random
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import grpc

import contract
import stubs
from hostile import Hostile
from load import Load
from stubs import v1, v2


class Stored:
    """What etcd keeps of one encrypted seed, and the seed itself to compare with."""

    def __init__(self, seed, answer, api):
        self.seed = seed
        self.api = api
        self.ciphertext = answer.cipher if api == "v1beta1" else answer.ciphertext
        self.key_id = "" if api == "v1beta1" else answer.key_id
        self.annotations = {} if api == "v1beta1" else dict(answer.annotations)


class APIServer(Hostile, Load):
    """One kube-apiserver with its etcd."""

    TIMEOUT = 3.0  # kube-apiserver's default

    def __init__(self, socket_path, authority):
        self.path = socket_path
        self.authority = authority
        self.etcd = []
        self.version = None
        self.held = []
        self.hanging = []
        self.random = random.Random(20240518)
        self.channel = self.open_channel()
        self.v2 = stubs.v2_grpc.KeyManagementServiceStub(self.channel)
        self.v1 = stubs.v1_grpc.KeyManagementServiceStub(self.channel)

    def open_channel(self):
        """A connection that it shares with no other channel."""
        options = [
            ("grpc.default_authority", self.authority),
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.min_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 500),
        ]
        return grpc.insecure_channel("unix:" + self.path, options=options)

    def uid(self):
        return "%032x" % self.random.getrandbits(128)

    # One call each, checked as kube-apiserver does.

    def call_status(self, wait=True):
        answer = self.v2.Status(v2.StatusRequest(), timeout=self.TIMEOUT, wait_for_ready=wait)
        contract.status(answer, self.version)
        self.version = answer.version
        return answer.key_id

    def call_encrypt(self, seed, key_id):
        answer = self.v2.Encrypt(v2.EncryptRequest(plaintext=seed, uid=self.uid()), timeout=self.TIMEOUT,
                                 wait_for_ready=True)
        contract.encrypted(answer, key_id)
        return Stored(seed, answer, "v2")

    def call_v1_encrypt(self, seed):
        answer = self.v1.Encrypt(v1.EncryptRequest(version="v1beta1", plain=seed), timeout=self.TIMEOUT,
                                 wait_for_ready=True)
        contract.cipher(answer)
        return Stored(seed, answer, "v1beta1")

    def call_decrypt(self, stored, timeout=None, wait=True):
        timeout = timeout or self.TIMEOUT
        if stored.api == "v1beta1":
            request = v1.DecryptRequest(version="v1beta1", cipher=stored.ciphertext)
            answer = self.v1.Decrypt(request, timeout=timeout, wait_for_ready=wait).plain
        else:
            request = v2.DecryptRequest(ciphertext=stored.ciphertext, uid=self.uid(), key_id=stored.key_id,
                                        annotations=stored.annotations)
            answer = self.v2.Decrypt(request, timeout=timeout, wait_for_ready=wait).plaintext
        contract.decrypted(answer, stored.seed)

    # Commands.

    def do_boot(self, within=30):
        """A start: Status until it is ok, then a seed of its own, then everything that etcd holds."""
        deadline = time.monotonic() + within
        refusals = []
        while True:
            try:
                key_id = self.call_status()
                break
            except grpc.RpcError as error:
                refusals.append("%s: %s" % (error.code().name, error.details()))
                if time.monotonic() > deadline:
                    return {"error": "Status is never ok: " + refusals[-1]}
                time.sleep(0.05)
        held = list(self.etcd)
        stored = self.call_encrypt(os.urandom(32), key_id)
        self.etcd.append(stored)
        for old in held:
            self.call_decrypt(old)
        self.call_decrypt(stored)
        return {"keyID": key_id, "refusals": refusals, "read": len(held) + 1,
                "annotations": {key: len(value) for key, value in stored.annotations.items()},
                "ciphertextSize": len(stored.ciphertext)}

    # How gRPC core words that a connection has ended: that is no answer of the plugin's. Go's client tries again then.
    LOST = ("Broken pipe", "Socket closed", "Connection reset by peer", "GOAWAY received")

    def do_status(self, wait=True, timeout=None):
        """One Status, as it is answered."""
        for _ in range(20):
            answer = self.status_once(wait, timeout)
            if not wait or answer.get("details") not in self.LOST:
                break
        return answer

    def status_once(self, wait, timeout):
        begin = time.monotonic()
        try:
            answer = self.v2.Status(v2.StatusRequest(), timeout=timeout or self.TIMEOUT, wait_for_ready=wait)
            return {"code": "OK", "version": answer.version, "healthz": answer.healthz, "keyID": answer.key_id,
                    "seconds": time.monotonic() - begin}
        except grpc.RpcError as error:
            return {"code": error.code().name, "details": error.details(), "seconds": time.monotonic() - begin}

    def do_write(self, count, api="v2", threads=16):
        """So many distinct seeds into etcd."""
        key_id = self.call_status()
        seeds = [os.urandom(32) for _ in range(count)]
        with ThreadPoolExecutor(threads) as pool:
            if api == "v1beta1":
                new = list(pool.map(self.call_v1_encrypt, seeds))
            else:
                new = list(pool.map(lambda seed: self.call_encrypt(seed, key_id), seeds))
        self.etcd.extend(new)
        return {"written": len(new), "distinct": len({stored.ciphertext for stored in new}), "keyID": key_id}

    def do_read(self, threads=16, repeat=1):
        """Everything in etcd, as a start does."""
        codes = Counter()
        details = set()

        def read(stored):
            try:
                self.call_decrypt(stored)
                return "OK"
            except contract.Violation:
                return "WRONG"
            except grpc.RpcError as error:
                details.add(error.details())
                return error.code().name

        with ThreadPoolExecutor(threads) as pool:
            for _ in range(repeat):
                codes.update(pool.map(read, self.etcd))
        return {"codes": codes, "details": sorted(details)[:8]}

    def do_same(self, count=16):
        """The same Decrypt so many times at once: kube-apiserver does not coalesce."""
        barrier = threading.Barrier(count)
        stored = self.etcd[-1]

        def read(_):
            barrier.wait()
            self.call_decrypt(stored)

        with ThreadPoolExecutor(count) as pool:
            return {"read": len(list(pool.map(read, range(count))))}

    def do_version(self):
        """v1beta1's health check: Version, then "ping" there and back."""
        answer = self.v1.Version(v1.VersionRequest(version="v1beta1"), timeout=self.TIMEOUT, wait_for_ready=True)
        contract.version(answer)
        self.call_decrypt(self.call_v1_encrypt(b"ping"))
        return {"runtimeName": answer.runtime_name, "runtimeVersion": answer.runtime_version}

    def do_mixed(self, count=200):
        """v1beta1 and v2 at the same time over one connection."""
        key_id = self.call_status()

        def turn(number):
            seed = os.urandom(32)
            stored = self.call_v1_encrypt(seed) if number % 2 else self.call_encrypt(seed, key_id)
            self.call_decrypt(stored)
            return stored

        with ThreadPoolExecutor(16) as pool:
            stored = list(pool.map(turn, range(count)))
        # What one API made, the other must not open.
        crossed = Counter()
        for one in stored[:8]:
            try:
                if one.api == "v1beta1":
                    self.v2.Decrypt(v2.DecryptRequest(ciphertext=one.ciphertext, uid="x", key_id=key_id),
                                    timeout=self.TIMEOUT)
                else:
                    self.v1.Decrypt(v1.DecryptRequest(version="v1beta1", cipher=one.ciphertext), timeout=self.TIMEOUT)
                crossed["OK"] += 1
            except grpc.RpcError as error:
                crossed[error.code().name] += 1
        return {"turns": len(stored), "crossed": crossed}

    def do_leaks(self, paths, texts):
        """Where seeds (raw, hex or base64) or the given texts stand in files."""
        from leaks import search
        return {"found": search([stored.seed for stored in self.etcd], texts, paths), "seeds": len(self.etcd)}


def serve(server):
    with os.fdopen(3) as commands:
        for number, line in enumerate(commands, 1):
            command = json.loads(line)
            try:
                answer = getattr(server, "do_" + command.pop("do"))(**command) or {}
            except contract.Violation as violation:
                answer = {"error": "kube-apiserver refuses that: %s" % violation}
            except grpc.RpcError as error:
                answer = {"error": "%s: %s" % (error.code().name, error.details())}
            except Exception as error:  # The test shows what it was.
                answer = {"error": repr(error)}
            print("%s\n%d done" % (json.dumps(answer), number), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--socket", required=True)
    parser.add_argument("--authority", default="localhost")
    parser.add_argument("--uid", type=int)
    parser.add_argument("--gid", type=int)
    options = parser.parse_args()
    if options.uid is not None:
        os.setgroups([])
        os.setgid(options.gid)
        os.setuid(options.uid)
    server = APIServer(options.socket, options.authority)
    print("{}\n0 done", flush=True)
    serve(server)
    sys.stdout.flush()
    # Threads of gRPC and of a load that was never stopped hold nobody up.
    os._exit(0)
