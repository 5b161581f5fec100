"""Clients that no plugin wishes for: broken messages, broken connections, broken manners."""

import socket
import struct
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import grpc

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"


def field(number, value):
    """One length-delimited field, any bytes: strings need not be UTF-8 here."""
    size, encoded = len(value), b""
    while size >= 0x80:
        encoded += bytes([size & 0x7F | 0x80])
        size >>= 7
    return bytes([number << 3 | 2]) + encoded + bytes([size]) + value


def decrypt_message(ciphertext, key_id, annotations, uid=b"u"):
    entries = b"".join(field(4, field(1, key) + field(2, value)) for key, value in annotations)
    return field(1, ciphertext) + field(2, uid) + field(3, key_id) + entries


class Hostile:
    """Part of APIServer."""

    def send_raw(self, method, message, timeout=None):
        call = self.channel.unary_unary(method, request_serializer=None, response_deserializer=None)
        return call(message, timeout=timeout or self.TIMEOUT, wait_for_ready=True)

    def raw_code(self, method, message, timeout=None):
        try:
            self.send_raw(method, message, timeout)
            return "OK", ""
        except grpc.RpcError as error:
            return error.code().name, error.details()

    def do_raw(self, method, hex="", fill=0, repeat=1):
        """A message of these bytes, `fill` zeros behind them; all codes, and one text."""
        message = bytes.fromhex(hex) + bytes(fill)
        codes, details = Counter(), ""
        with ThreadPoolExecutor(16) as pool:
            for code, text in pool.map(lambda _: self.raw_code(method, message), range(repeat)):
                codes[code] += 1
                details = text
        return {"codes": codes, "details": details}

    def do_encrypt_size(self, size):
        """Encrypt of a plaintext of this size, as a well-formed message."""
        code, details = self.raw_code("/v2.KeyManagementService/Encrypt", field(1, bytes(size)) + field(2, b"u"))
        return {"code": code, "details": details}

    def do_strings(self):
        """NUL and bytes that are no UTF-8 in every string of the API."""
        stored = self.etcd[-1]
        key_id, annotations = stored.key_id.encode(), [(k.encode(), v) for k, v in stored.annotations.items()]
        codes = {}
        for name, bad in (("nul", b"a\x00b"), ("utf8", b"a\xff\xfeb"), ("surrogate", b"\xed\xa0\x80"),
                          ("overlong", b"\xc0\xaf")):
            messages = {
                "encrypt.uid": ("Encrypt", field(1, b"seed") + field(2, bad)),
                "decrypt.uid": ("Decrypt", decrypt_message(stored.ciphertext, key_id, annotations, bad)),
                "decrypt.key_id": ("Decrypt", decrypt_message(stored.ciphertext, key_id + bad, annotations)),
                "decrypt.annotation": ("Decrypt", decrypt_message(stored.ciphertext, key_id, [(bad, b"x")])),
            }
            for place, (method, message) in messages.items():
                codes[place + "." + name] = self.raw_code("/v2.KeyManagementService/" + method, message)[0]
        return {"codes": codes}

    def do_mutate(self, part):
        """Every truncation and every flipped bit-pattern of one part of a real object, sent to Decrypt."""
        stored = self.etcd[-1]
        whole = {"ciphertext": stored.ciphertext, "key_id": stored.key_id.encode()}
        if part == "annotation":
            original = next(iter(stored.annotations.values()))
        else:
            original = whole[part]
        variants = [original[:size] for size in range(len(original))]
        for mask in (0x01, 0x80, 0xFF):
            variants += [original[:at] + bytes([original[at] ^ mask]) + original[at + 1:]
                         for at in range(len(original))]
        variants.append(original + b"\x00")
        variants.append(original + original)

        def send(variant):
            parts = dict(whole)
            annotations = [(key.encode(), value) for key, value in stored.annotations.items()]
            if part == "annotation":
                annotations = [(key, variant) for key, _ in annotations]
            else:
                parts[part] = variant
            message = decrypt_message(parts["ciphertext"], parts["key_id"], annotations)
            try:
                answer = self.send_raw("/v2.KeyManagementService/Decrypt", message)
            except grpc.RpcError as error:
                return error.code().name, variant
            return ("OK" if answer == field(1, stored.seed) else "WRONG"), variant

        with ThreadPoolExecutor(16) as pool:
            results = list(pool.map(send, variants))
        return {"codes": Counter(code for code, _ in results), "sent": len(variants),
                "accepted": [variant.decode("latin-1") for code, variant in results if code == "OK"]
                if part == "key_id" else [], "original": original.decode("latin-1") if part == "key_id" else ""}

    def do_cancel(self, count=300):
        """Calls cancelled (RST_STREAM) at random points: before, while and after they are answered, and half sent."""
        from stubs import v2
        stored = self.etcd[-1]
        request = v2.DecryptRequest(ciphertext=stored.ciphertext, uid="u", key_id=stored.key_id,
                                    annotations=stored.annotations)
        codes = Counter()
        for number in range(count):
            if number % 3 == 2:
                # The request never ends: its message is announced, the stream is cancelled before it comes.
                half = self.channel.stream_unary("/v2.KeyManagementService/Encrypt", request_serializer=None,
                                                 response_deserializer=None)
                gate = self._Never()
                call = half.future(gate, timeout=self.TIMEOUT)
            else:
                gate = None
                call = self.v2.Decrypt.future(request, timeout=self.TIMEOUT)
            time.sleep(self.random.random() * 0.003)
            call.cancel()
            try:
                call.result(timeout=self.TIMEOUT)
                codes["OK"] += 1
            except grpc.FutureCancelledError:
                codes["CANCELLED"] += 1
            except grpc.RpcError as error:
                codes[error.code().name] += 1
            if gate is not None:
                gate.close()
        return {"codes": codes}

    class _Never:
        """A stream of requests that has none until it is closed."""

        def __init__(self):
            import threading
            self.end = threading.Event()

        def __iter__(self):
            return self

        def __next__(self):
            self.end.wait(10)
            raise StopIteration

        def close(self):
            self.end.set()

    def do_hang(self, count):
        """Calls whose message never comes, and that nobody cancels: they are in flight until their deadline."""
        for _ in range(count):
            half = self.channel.stream_unary("/v2.KeyManagementService/Encrypt", request_serializer=None,
                                             response_deserializer=None)
            self.hanging.append(half.future(self._Never(), timeout=60))
        # An answer on the same connection: they have arrived.
        self.call_status()
        return {}

    def do_hung(self):
        """How those calls ended, which they must have by now."""
        codes = Counter()
        for call in self.hanging:
            try:
                call.result(timeout=10)
                codes["OK"] += 1
            except grpc.RpcError as error:
                codes[error.code().name] += 1
            except grpc.FutureTimeoutError:
                codes["HUNG"] += 1
        return {"codes": codes}

    # Connections.

    def connect(self):
        raw = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        raw.connect(self.path)  # Waits while the backlog is full, which a socket with a timeout does not.
        raw.settimeout(5)
        return raw

    def do_hold(self, count, say="nothing"):
        """Raw connections that stay open and say nothing, half a preface, a preface without more, or garbage."""
        words = {"nothing": b"", "half": PREFACE[:10], "preface": PREFACE + SETTINGS, "garbage": b"GET / HTTP/1.1\r\n",
                 "frame": PREFACE + SETTINGS + struct.pack(">I", 0xFFFFFF)[1:] + b"\x01\x05\x00\x00\x00\x01"}
        for _ in range(count):
            raw = self.connect()
            try:
                raw.sendall(words[say])
            except OSError:
                pass  # Refused already.
            self.held.append(raw)
        return {"held": len(self.held)}

    def do_release(self):
        for raw in self.held:
            raw.close()
        self.held = []
        return {}

    def do_connections(self, count, together):
        """So many connections of their own, each with one Status; at most `together` of them open at once."""
        from stubs import v2, v2_grpc
        codes = Counter()
        for begin in range(0, count, together):
            channels = [self.open_channel() for _ in range(min(together, count - begin))]
            calls = [v2_grpc.KeyManagementServiceStub(channel).Status.future(
                v2.StatusRequest(), timeout=self.TIMEOUT * 3, wait_for_ready=True) for channel in channels]
            for call in calls:
                codes[call.code().name] += 1
            for channel in channels:
                channel.close()
        return {"codes": codes}

    def do_churn(self, count):
        """Raw connections that come, say half of something and go."""
        for number in range(count):
            raw = self.connect()
            try:
                raw.sendall((b"", PREFACE[:7], PREFACE + SETTINGS, b"\x16\x03\x01")[number % 4])
            except OSError:
                pass
            raw.close()
        return {}

    def do_preface(self):
        """Connects and sends a preface that the plugin cannot have read yet (it is stopped by the test)."""
        self.pending = self.connect()
        self.pending.sendall(PREFACE + SETTINGS)
        return {}

    def do_refusal(self):
        """How that connection ended: "unread" when the plugin closed it with the preface still in its queue."""
        try:
            data = self.pending.recv(1024)
            return {"end": "answered" if data else "read"}
        except ConnectionResetError:
            return {"end": "unread"}
        except socket.timeout:
            return {"end": "open"}
        finally:
            self.pending.close()

    def do_connect(self):
        """Whether a connection is let in: one that is refused ends before the server's first frame."""
        try:
            raw = self.connect()
        except OSError as error:
            return {"end": type(error).__name__}
        try:
            raw.sendall(PREFACE + SETTINGS)
            return {"end": "answered" if raw.recv(1024) else "closed"}
        except OSError as error:
            return {"end": type(error).__name__}
        finally:
            raw.close()
