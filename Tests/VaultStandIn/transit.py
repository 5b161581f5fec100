"""The transit engine, as its documents describe it. Ciphers are made of SHA-256, since Python's library has no AES: a
stand-in protects nothing, but it authenticates, and its strings have the form and the length of Vault's."""

import base64
import binascii
import hashlib
import hmac
import os
import time

from answers import Refusal

TYPES = {
    "aes256-gcm96": 32, "aes128-gcm96": 16, "chacha20-poly1305": 32, "xchacha20-poly1305": 32,
    # No symmetric encryption: for the check of a key's type.
    "rsa-2048": 0, "ed25519": 0,
}


def decode(text, what):
    """base64 as Go decodes it: line ends are skipped, padding is wanted, stray bits are not looked at."""
    if not isinstance(text, str):
        raise Refusal(400, f"missing {what}")
    text = text.replace("\r", "").replace("\n", "")
    try:
        if len(text) % 4:
            raise binascii.Error
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise Refusal(
            400, "invalid ciphertext: could not decode base64" if what == "ciphertext"
            else "failed to base64-decode " + what) from None


class Key:
    def __init__(self, name, kind, exportable, derived, backup, clock):
        self.name = name
        self.kind = kind
        self.exportable = exportable
        self.derived = derived
        self.backup = backup
        self.deletion_allowed = False
        self.minimum = 1
        self.secrets = {}
        self.created = {}
        self.rotate(clock)

    @property
    def latest(self):
        return max(self.secrets)

    def rotate(self, clock):
        version = len(self.secrets) + 1
        self.secrets[version] = os.urandom(32)
        self.created[version] = int(clock())

    def describe(self):
        symmetric = TYPES[self.kind] > 0
        # Versions below the minimum are archived, and not shown.
        shown = [version for version in self.created if version >= self.minimum]
        keys = {
            str(version): self.created[version] if symmetric else {
                "creation_time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.created[version]))
            } for version in shown
        }
        return {
            "name": self.name, "type": self.kind, "keys": keys, "latest_version": self.latest,
            "min_decryption_version": self.minimum, "min_encryption_version": 0, "min_available_version": 0,
            "exportable": self.exportable, "deletion_allowed": self.deletion_allowed, "derived": self.derived,
            "allow_plaintext_backup": self.backup, "imported_key": False, "supports_encryption": symmetric,
            "supports_decryption": symmetric, "supports_derivation": symmetric, "supports_signing": not symmetric,
        }

    def stream(self, version, nonce, count):
        blocks = b""
        while len(blocks) < count:
            blocks += hmac.digest(self.secrets[version], b"stream" + nonce + bytes([len(blocks) // 32]), "sha256")
        return blocks[:count]

    def tag(self, version, nonce, sealed, associated):
        parts = b"".join(len(part).to_bytes(4, "big") + part for part in (nonce, sealed, associated))
        return hmac.digest(self.secrets[version], b"tag" + parts, "sha256")[:16]

    def check(self, body):
        if self.derived and not body.get("context"):
            raise Refusal(400, "missing 'context' for key derivation; the key was created using a derived key, which "
                               "means additional, per-request information must be included in order to perform "
                               "operations with the key")

    def encrypt(self, plaintext, associated):
        if not TYPES[self.kind]:
            raise Refusal(400, f"message encryption not supported for key type {self.kind}")
        version, nonce = self.latest, os.urandom(12)
        sealed = bytes(a ^ b for a, b in zip(plaintext, self.stream(version, nonce, len(plaintext))))
        whole = nonce + sealed + self.tag(version, nonce, sealed, associated)
        return f"vault:v{version}:" + base64.b64encode(whole).decode(), version

    def decrypt(self, text, associated):
        if not isinstance(text, str) or not text:
            raise Refusal(400, "missing ciphertext to decrypt")
        if not text.startswith("vault:v"):
            raise Refusal(400, "invalid ciphertext: no prefix")
        number, colon, body = text[len("vault:v"):].partition(":")
        if not colon:
            raise Refusal(400, "invalid ciphertext: wrong number of fields")
        if not number.isascii() or not number.isdigit():
            raise Refusal(400, "invalid ciphertext: version number could not be decoded")
        # As Vault does, for strings of its first version.
        version = int(number) or 1
        if version > self.latest:
            raise Refusal(400, "invalid ciphertext: version is too new")
        if version < self.minimum:
            raise Refusal(400, "ciphertext or signature version is disallowed by policy (too old)")
        whole = decode(body, "ciphertext")
        if len(whole) < 28:
            raise Refusal(400, "invalid ciphertext length")
        nonce, sealed, tag = whole[:12], whole[12:-16], whole[-16:]
        if not hmac.compare_digest(tag, self.tag(version, nonce, sealed, associated)):
            raise Refusal(400, "cipher: message authentication failed")
        return bytes(a ^ b for a, b in zip(sealed, self.stream(version, nonce, len(sealed))))


class Transit:
    def __init__(self, clock):
        self.keys = {}
        self.clock = clock
        # Versions before 1.9 or so: what they do not know, they ignore.
        self.legacy = False

    def handle(self, method, path, body, may_create):
        parts = path.split("/")
        if len(parts) < 2 or not parts[1]:
            raise Refusal(404)
        if parts[0] == "keys":
            return self.key(method, parts[1], parts[2:], body)
        if parts[0] in ("encrypt", "decrypt", "rewrap") and method == "POST" and len(parts) == 2:
            return getattr(self, parts[0])(parts[1], body, may_create)
        raise Refusal(404)

    def key(self, method, name, rest, body):
        key = self.keys.get(name)
        if rest == [] and method == "POST":
            kind = body.get("type", "aes256-gcm96")
            if kind not in TYPES:
                raise Refusal(400, f"unknown key type {kind}")
            if not key:
                key = self.keys[name] = Key(
                    name, kind, bool(body.get("exportable")), bool(body.get("derived")),
                    bool(body.get("allow_plaintext_backup")), self.clock)
            return key.describe()
        if not key:
            raise Refusal(404)
        if rest == [] and method == "GET":
            return key.describe()
        if rest == [] and method == "DELETE":
            if not key.deletion_allowed:
                raise Refusal(400, "error deleting policy " + name + ": deletion is not allowed for this key")
            del self.keys[name]
            return None
        if rest == ["rotate"] and method == "POST":
            key.rotate(self.clock)
            return key.describe()
        if rest == ["config"] and method == "POST":
            minimum = body.get("min_decryption_version", key.minimum)
            if not 0 <= minimum <= key.latest:
                raise Refusal(400, "cannot set min decryption version of " + str(minimum))
            key.minimum = minimum or 1
            key.deletion_allowed = body.get("deletion_allowed", key.deletion_allowed)
            # These can be set, and never be taken back.
            key.exportable = key.exportable or bool(body.get("exportable"))
            key.backup = key.backup or bool(body.get("allow_plaintext_backup"))
            return key.describe()
        raise Refusal(404)

    def associated(self, body):
        if self.legacy or "associated_data" not in body:
            return b""
        return decode(body["associated_data"], "associated_data")

    def answer(self, text, version):
        return {"ciphertext": text} if self.legacy else {"ciphertext": text, "key_version": version}

    def encrypt(self, name, body, may_create):
        plaintext = decode(body.get("plaintext"), "plaintext")
        if name not in self.keys:
            # This is what a typing error does to a token that may.
            if not may_create:
                raise Refusal(403, "1 error occurred:\n\t* permission denied\n\n")
            self.keys[name] = Key(name, "aes256-gcm96", False, False, False, self.clock)
        self.keys[name].check(body)
        return self.answer(*self.keys[name].encrypt(plaintext, self.associated(body)))

    def existing(self, name):
        if name not in self.keys:
            raise Refusal(400, "encryption key not found")
        return self.keys[name]

    def decrypt(self, name, body, _):
        self.existing(name).check(body)
        plaintext = self.existing(name).decrypt(body.get("ciphertext"), self.associated(body))
        return {"plaintext": base64.b64encode(plaintext).decode()}

    def rewrap(self, name, body, _):
        # It takes no associated data: what was sealed with some cannot be rewrapped.
        key = self.existing(name)
        return self.answer(*key.encrypt(key.decrypt(body.get("ciphertext"), b""), b""))
