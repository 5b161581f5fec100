"""A stand-in for Vault, in a process of its own: real TLS, its API as the documents describe it, and faults on demand.

    stand_in.py FOLDER [--plain] [--require-client-certificate] [--keep] [--port N]

FOLDER holds server.pem (with the chain), server.key, ca.pem (whose client certificates are let in) and root-token. The
port is printed as `listening PORT`. A test asks for more than Vault would do at the Unix socket FOLDER/control.

With --keep it has no such socket, and is prepared with FOLDER/policy.hcl: its key and credentials are in FOLDER/kept.json,
so that the next one has them, too, and the credentials in FOLDER/role-id and FOLDER/secret-id."""

import json
import os
import socketserver
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from answers import Refusal
from faults import Faults
from tokens import seconds
from vault import Vault


class Request:
    """One request, and what is told about it later."""

    def __init__(self, handler, body):
        self.method = handler.command
        self.path = handler.path.partition("?")[0]
        self.path = self.path[len("/v1/"):] if self.path.startswith("/v1/") else ""
        self.token = handler.headers.get("X-Vault-Token")
        self.namespace = (handler.headers.get("X-Vault-Namespace") or "").strip("/")
        self.wrap = seconds(handler.headers.get("X-Vault-Wrap-TTL"))
        self.certificate = handler.certificate
        self.text = body
        self.body = {}

    def parse(self):
        if self.text:
            try:
                self.body = json.loads(self.text)
            except ValueError:
                raise Refusal(400, "failed to parse JSON input") from None
            if not isinstance(self.body, dict):
                raise Refusal(400, "failed to parse JSON input")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self):
        super().setup()
        self.certificate = None
        if isinstance(self.connection, ssl.SSLSocket):
            self.certificate = self.connection.getpeercert(binary_form=True)
        self.number = self.server.connected()

    def answer_request(self):
        length = self.headers.get("Content-Length", "0")
        body = self.rfile.read(int(length)).decode()
        request = Request(self, body)
        fault, released = self.server.faults.take(request.path)
        entry = {
            "method": request.method, "path": request.path, "namespace": request.namespace, "token": request.token,
            "headers": dict(self.headers), "body": body, "connection": self.number, "status": None}
        self.server.seen.append(entry)
        if fault and not self.play(fault, released, request, entry):
            return
        if self.server.vault.standby and request.path != "sys/health":
            entry["status"] = 307
            return self.reply(307, None, {"Location": f"{self.server.vault.standby}/v1/{request.path}"})
        status, answer = self.result(request)
        entry["status"] = status
        if fault and fault["kind"] == "after":
            # The work is done, and nobody hears of it.
            self.close_connection = True
            return
        self.reply(status, answer)

    do_GET = do_POST = do_PUT = do_DELETE = do_LIST = answer_request

    def result(self, request):
        try:
            if not request.path:
                raise Refusal(404)
            request.parse()
            return self.server.vault.handle(request)
        except Refusal as refusal:
            return refusal.status, {"errors": refusal.errors}

    def play(self, fault, released, request, entry):
        """Whether the request is to be answered as usual after that."""
        kind = fault["kind"]
        if kind == "hang":
            released.wait(60)
            self.close_connection = True
            return False
        if kind == "delay":
            time.sleep(fault["seconds"])
            return True
        if kind == "after":
            return True
        if kind == "close":
            self.close_connection = True
            return False
        if kind == "status":
            entry["status"] = fault["status"]
            self.reply(fault["status"], fault.get("answer", {"errors": fault.get("errors", [])}),
                       fault.get("headers", {}))
            return False
        if kind == "echo":
            entry["status"] = fault["status"]
            self.reply(fault["status"], {"errors": [f"cannot take {request.text} of {request.token}"]})
            return False
        if kind == "raw":
            # Any bytes instead of an answer: truncated, not HTTP, too long, one by one.
            for piece in fault["pieces"]:
                self.wfile.write(piece["text"].encode() * piece.get("times", 1))
                self.wfile.flush()
                if released.wait(piece.get("seconds", 0)):
                    break
            self.close_connection = True
            return False
        raise ValueError(kind)

    def reply(self, status, answer, headers=None):
        text = b"" if answer is None else json.dumps(answer).encode() + b"\n"
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if text:
            self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, folder, plain, require, port):
        super().__init__(("127.0.0.1", port), Handler)
        with open(folder + "/root-token", encoding="ascii") as file:
            self.vault = Vault(file.read().strip())
        self.faults = Faults()
        self.seen = []
        self.connections = 0
        self.folder = folder
        self.tls = None if plain else self.context(require)
        self.lock = threading.Lock()

    def context(self, require):
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.minimum_version = ssl.TLSVersion.TLSv1_2
        tls.load_cert_chain(self.folder + "/server.pem", self.folder + "/server.key")
        tls.load_verify_locations(self.folder + "/ca.pem")
        tls.verify_mode = ssl.CERT_REQUIRED if require else ssl.CERT_OPTIONAL
        return tls

    def connected(self):
        with self.lock:
            self.connections += 1
            return self.connections

    def finish_request(self, request, client_address):
        # In the connection's own thread, so that a slow handshake keeps nobody waiting.
        request.settimeout(60)
        try:
            if self.tls:
                request = self.tls.wrap_socket(request, server_side=True)
            with request:
                Handler(request, client_address, self)
        except (OSError, ssl.SSLError):
            pass


class Control(BaseHTTPRequestHandler):
    def address_string(self):
        return "control"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", "0"))) or b"{}")
        answer = json.dumps(self.act(self.path[1:], body, self.server.subject) or {}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def act(self, name, body, server):
        vault = server.vault
        if name == "fault":
            server.faults.add(body)
        elif name == "mend":
            server.faults.clear()
        elif name == "seal":
            vault.sealed = body["sealed"]
        elif name == "standby":
            vault.standby = body.get("location")
        elif name == "clock":
            vault.store.offset = body["seconds"]
        elif name == "refusals":
            return {"most": max((len(times) for times in vault.refusals.values()), default=0)}
        elif name == "unlock":
            # As an operator does (sys/locked-users), after wrong secret IDs.
            vault.refusals.clear()
        elif name == "legacy":
            vault.legacy = body["legacy"]
        elif name == "prepare":
            return vault.prepare(body["policy"])
        elif name == "tokens":
            # How many are good, beside the root's and those that wrap something.
            tokens = [token for token in vault.store.tokens.values() if not token.is_over]
            return {"count": len([t for t in tokens if not {"root", "response-wrapping"} & set(t.policies)])}
        elif name == "revoke":
            # All tokens but the root's, as an operator does after an incident.
            with vault.store.lock:
                for token in [token for token in vault.store.tokens.values() if "root" not in token.policies]:
                    del vault.store.tokens[token.id]
        elif name == "seen":
            seen = list(server.seen)
            if body.get("forget"):
                server.seen.clear()
            return {"requests": seen, "connections": server.connections}
        else:
            raise ValueError(name)

    def log_message(self, *_):
        pass


class ControlServer(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


def keep(vault, folder):
    path = folder + "/kept.json"
    kept = None
    if os.path.exists(path):
        with open(path, encoding="ascii") as file:
            kept = json.load(file)
    with open(folder + "/policy.hcl", encoding="utf-8") as file:
        kept = vault.prepare(file.read(), kept)
    os.umask(0o077)
    for name, text in (("role-id", kept["role_id"]), ("secret-id", kept["secret_id"]), ("kept.json", json.dumps(kept))):
        with open(f"{folder}/{name}.new", "w", encoding="ascii") as file:
            file.write(text)
        os.rename(f"{folder}/{name}.new", f"{folder}/{name}")


def main():
    folder, options = sys.argv[1], sys.argv[2:]
    port = int(options[options.index("--port") + 1]) if "--port" in options else 0
    server = Server(folder, "--plain" in options, "--require-client-certificate" in options, port)
    if "--keep" in options:
        keep(server.vault, folder)
    else:
        control = ControlServer(folder + "/control", Control)
        control.subject = server
        threading.Thread(target=control.serve_forever, daemon=True).start()
    print("listening", server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
