"""Steady load in the background, while a test does something to the plugin."""

import os
import threading
import time
from collections import Counter

import grpc

import contract


class Load:
    """Part of APIServer."""

    def do_load_start(self, threads=8, wait=False):
        """Encrypt, Decrypt and Status until load_stop. With `wait`, calls wait for a plugin that is away."""
        self.load_end = threading.Event()
        self.load_codes = Counter()
        self.load_details = set()
        self.load_slowest = 0.0
        self.load_lock = threading.Lock()
        key_id = self.call_status()
        seeds = [os.urandom(32) for _ in range(threads)]
        stored = [self.call_encrypt(seed, key_id) for seed in seeds]
        self.load_threads = [
            threading.Thread(target=self._work, args=(key_id, one, wait), daemon=True) for one in stored]
        for thread in self.load_threads:
            thread.start()
        return {}

    def _work(self, key_id, stored, wait):
        number = 0
        while not self.load_end.is_set():
            number += 1
            begin = time.monotonic()
            details = None
            try:
                if number % 3 == 0:
                    self.call_encrypt_now(key_id, wait)
                elif number % 3 == 1:
                    self.call_decrypt(stored, wait=wait)
                elif self.call_status(wait=wait) != key_id:
                    raise contract.Violation("key_id changed")
                code = "OK"
            except contract.Violation as violation:
                code, details = "WRONG", str(violation)
            except grpc.RpcError as error:
                code, details = error.code().name, error.details()
            with self.load_lock:
                self.load_codes[code] += 1
                self.load_slowest = max(self.load_slowest, time.monotonic() - begin)
                if details and len(self.load_details) < 8:
                    self.load_details.add(details)
            if code == "UNAVAILABLE":
                # As grpc-go between two attempts to connect.
                self.load_end.wait(0.02)

    def call_encrypt_now(self, key_id, wait):
        from stubs import v2
        answer = self.v2.Encrypt(v2.EncryptRequest(plaintext=os.urandom(32), uid=self.uid()), timeout=self.TIMEOUT,
                                 wait_for_ready=wait)
        contract.encrypted(answer, key_id)

    def do_load_reached(self, calls, within=20, code="OK"):
        """Waits until so many more calls ended with `code`."""
        deadline = time.monotonic() + within
        with self.load_lock:
            wanted = self.load_codes[code] + calls
        while time.monotonic() < deadline:
            with self.load_lock:
                if self.load_codes[code] >= wanted:
                    return {}
            time.sleep(0.005)
        return {"error": "the load does not get on: %s" % dict(self.load_codes)}

    def do_load_stop(self):
        """Ends the load; every call of it has to end by itself, by its deadline at the latest."""
        self.load_end.set()
        for thread in self.load_threads:
            thread.join(self.TIMEOUT * 2)
        hung = sum(thread.is_alive() for thread in self.load_threads)
        return {"codes": self.load_codes, "details": sorted(self.load_details), "hung": hung,
                "slowest": self.load_slowest}
