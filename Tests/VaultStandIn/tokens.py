"""Tokens, their leases and policies, and response wrapping."""

import re
import secrets
import threading
import time
import uuid

from answers import Refusal

DENIED = "permission denied"

DEFAULT = """
path "auth/token/lookup-self" { capabilities = ["read"] }
path "auth/token/renew-self" { capabilities = ["update"] }
path "auth/token/revoke-self" { capabilities = ["update"] }
path "sys/capabilities-self" { capabilities = ["update"] }
path "sys/wrapping/lookup" { capabilities = ["update"] }
path "sys/wrapping/unwrap" { capabilities = ["update"] }
"""


def parse(policy):
    """The rules of a policy in HCL, as far as the documents' own examples go: path and capabilities."""
    text = re.sub(r"(?m)#.*$", "", policy)
    rules = re.findall(r'path\s+"([^"]+)"\s*\{\s*capabilities\s*=\s*\[([^\]]*)\]\s*\}', text)
    rest = re.sub(r'path\s+"([^"]+)"\s*\{\s*capabilities\s*=\s*\[([^\]]*)\]\s*\}', "", text)
    if rest.strip():
        raise Refusal(400, "failed to parse policy: " + rest.strip()[:40])
    return {path: set(re.findall(r'"([^"]+)"', names)) for path, names in rules}


class Token:
    def __init__(self, policies, ttl, maximum, renewable, uses, kind, path, namespace, clock, period=0):
        self.id = ("b." if kind == "batch" else "s.") + secrets.token_urlsafe(18)
        self.accessor = secrets.token_urlsafe(18)
        self.policies = policies
        self.clock = clock
        self.periodic = period
        self.whole = period or ttl
        self.maximum = maximum
        self.renewable = renewable and kind != "batch"
        self.uses = uses
        self.kind = kind
        self.path = path
        self.namespace = namespace
        self.made = clock()
        self.expires = self.made + self.whole if self.whole else None

    @property
    def ttl(self):
        return max(0, round(self.expires - self.clock())) if self.expires else 0

    @property
    def is_over(self):
        return bool(self.expires) and self.expires <= self.clock()

    def renew(self, wanted):
        """What is wanted counts from now, and takes the place of what is left, also when that is more."""
        ttl = self.periodic or wanted or self.whole
        # A mount's own limit, if nothing else is said: 32 days.
        ttl = min(ttl, self.made + (self.maximum or 32 * 86400) - self.clock())
        self.expires = self.clock() + max(0, ttl)

    def auth(self):
        return {
            "client_token": self.id, "accessor": self.accessor, "policies": self.policies,
            "token_policies": self.policies, "metadata": None, "lease_duration": self.ttl,
            "renewable": self.renewable, "token_type": self.kind, "orphan": True, "num_uses": self.uses,
        }

    def data(self):
        return {
            "id": self.id, "accessor": self.accessor, "policies": self.policies, "ttl": self.ttl,
            "renewable": self.renewable, "num_uses": self.uses, "path": self.path, "type": self.kind,
            "expire_time": None if not self.expires else "2100-01-01T00:00:00Z", "explicit_max_ttl": self.maximum,
            "creation_ttl": self.whole, **({"period": self.periodic} if self.periodic else {}),
        }


def seconds(value):
    """A duration as Vault takes it: a number of seconds, or text with a unit."""
    if value in (None, ""):
        return 0
    if isinstance(value, (int, float)):
        return value
    found = re.fullmatch(r"([0-9.]+)(ms|s|m|h)?", value)
    if not found:
        raise Refusal(400, "error converting input to a duration")
    return float(found[1]) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600, None: 1}[found[2]]


class TokenStore:
    def __init__(self, root):
        self.lock = threading.RLock()
        self.tokens = {}
        self.policies = {("", "default"): parse(DEFAULT)}
        self.wrapped = {}
        # Seconds that a test has let pass.
        self.offset = 0
        self.add(Token(["root"], 0, 0, False, 0, "service", "auth/token/root", "", self.now), root)

    def now(self):
        return time.monotonic() + self.offset

    def add(self, token, name=None):
        if name:
            token.id = name
        self.tokens[token.id] = token
        return token

    def make(self, policies, body, path, namespace, prefix=""):
        return self.add(
            Token(
                sorted({"default", *policies} - ({"default"} if body.get("no_default_policy") else set())),
                seconds(body.get(prefix + "ttl")), seconds(body.get(prefix + "max_ttl")
                    or body.get("explicit_max_ttl")), body.get("renewable", True),
                int(body.get(prefix + "num_uses") or body.get("num_uses") or 0),
                body.get(prefix + "type") if body.get(prefix + "type") in ("batch", "service") else "service", path,
                namespace, self.now, seconds(body.get(prefix + "period") or body.get("period"))))

    def use(self, name, namespace):
        """The token of a request; each use counts. It is good in its own namespace and those below."""
        token = self.tokens.get(name or "")
        if token and token.is_over:
            del self.tokens[name]
            token = None
        if not token or token.namespace and not (namespace + "/").startswith(token.namespace + "/"):
            raise Refusal(403, DENIED)
        if token.uses:
            token.uses -= 1
            if not token.uses:
                del self.tokens[name]
        return token

    def capabilities(self, token, path, namespace):
        """Policies belong to the token's namespace, and name the paths of those below from there on."""
        if "root" in token.policies:
            return {"root"}
        path = "/".join(part for part in (namespace[len(token.namespace):].strip("/"), path) if part)
        best, found = (-1, False), set()
        for name in token.policies:
            # Each namespace has a policy `default` of its own.
            rules = self.policies.get((token.namespace, name))
            if rules is None:
                rules = self.policies[("", "default")] if name == "default" else {}
            for pattern, capabilities in rules.items():
                exact = not pattern.endswith("*")
                if path == pattern if exact else path.startswith(pattern[:-1]):
                    rank = (len(pattern), exact)
                    if rank > best:
                        best, found = rank, set(capabilities)
                    elif rank == best:
                        found |= capabilities
        return {"deny"} if "deny" in found or not found else found

    def wrap(self, data, ttl, path):
        token = self.add(Token(["response-wrapping"], ttl, ttl, False, 0, "service", path, "", self.now))
        self.wrapped[token.id] = (data, path)
        return {
            "token": token.id, "accessor": token.accessor, "ttl": round(ttl), "creation_path": path,
            "creation_time": "2026-01-01T00:00:00Z",
        }

    def wrapping(self, name):
        token = self.tokens.get(name or "")
        if not token or token.id not in self.wrapped or token.is_over:
            raise Refusal(400, "wrapping token is not valid or does not exist")
        return token

    def unwrap(self, name):
        token = self.wrapping(name)
        del self.tokens[token.id]
        return self.wrapped.pop(token.id)[0]
