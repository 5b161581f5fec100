"""Looks for what must not have been written anywhere."""

import base64
import os


def _files(paths):
    for path in paths:
        if os.path.isfile(path):
            yield path
        for folder, _, names in os.walk(path):
            for name in names:
                if os.path.isfile(os.path.join(folder, name)):
                    yield os.path.join(folder, name)


def search(secrets, texts, paths):
    """Every file that holds one of the secrets (bytes) or texts, in any usual spelling."""
    needles = [text.encode() for text in texts]
    for secret in secrets:
        needles += [secret, secret.hex().encode(), secret.hex().upper().encode()]
        # Base64 of a text that is inside another one depends on where it begins there.
        needles += [base64.b64encode(bytes(skip) + secret)[4:-4] for skip in range(3)]
    found = []
    for path in _files(paths):
        with open(path, "rb") as file:
            content = file.read()
        found += [path for needle in needles if needle in content]
    return sorted(set(found))
