"""What kube-apiserver checks in a KMS plugin's answers; a violation is what makes it refuse the plugin."""

import re

# A lower-case RFC 1123 name of at least two labels; no slash.
_LABEL = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(r"\A%s(\.%s)+\Z" % (_LABEL, _LABEL))


class Violation(Exception):
    """The plugin's answer is one that kube-apiserver refuses."""


def _require(condition, text, *values):
    if not condition:
        raise Violation(text % values)


def key_id(value):
    size = len(value.encode())
    _require(1 <= size <= 1024, "key_id has %d bytes", size)


def status(answer, known_version=None):
    _require(answer.version in ("v2", "v2beta1"), "version is %r", answer.version)
    _require(known_version in (None, answer.version), "version changed from %r", known_version)
    _require(answer.healthz == "ok", "healthz is %r", answer.healthz)
    key_id(answer.key_id)


def encrypted(answer, status_key_id):
    size = len(answer.ciphertext)
    _require(1 <= size <= 1024, "ciphertext has %d bytes", size)
    key_id(answer.key_id)
    _require(answer.key_id == status_key_id, "Encrypt's key_id %r is not Status's %r", answer.key_id, status_key_id)
    total = 0
    for key, value in answer.annotations.items():
        total += len(key.encode()) + len(value)
        _require(len(key) <= 253 and _DOMAIN.match(key), "annotation %r is not a fully qualified name", key)
    _require(total <= 32 * 1024, "annotations have %d bytes", total)


def decrypted(answer, plaintext):
    # A wrong plaintext of the right size is cached by kube-apiserver, and poisons its reads.
    _require(answer == plaintext, "a wrong plaintext of %d bytes", len(answer))


def version(answer):
    _require(answer.version == "v1beta1", "version is %r", answer.version)
    _require(answer.runtime_name, "no runtime_name")
    _require(answer.runtime_version, "no runtime_version")


def cipher(answer):
    size = len(answer.cipher)
    _require(1 <= size <= 65535, "cipher has %d bytes", size)
