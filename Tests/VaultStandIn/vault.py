"""Vault's paths: who may do what, and where it is done."""

import base64
import time
import uuid

from answers import Refusal
from tokens import DENIED, TokenStore, parse, seconds
from transit import Transit

CAPABILITIES = {"GET": "read", "POST": "update", "PUT": "update", "DELETE": "delete", "LIST": "list"}


class Vault:
    def __init__(self, root):
        self.store = TokenStore(root)
        self.engines = {}
        self.methods = {}
        self.namespaces = {""}
        self.sealed = False
        self.standby = None
        # When AppRoles were refused, by mount and role ID.
        self.refusals = {}
        self.legacy = False

    def prepare(self, policy, kept=None):
        """What docs/vault.md's commands make, for those who have no client of their own: the engine, the key, the policy
        and a role for AppRole with its credentials. `kept`, an earlier answer, is made again."""
        kept = kept or {"role_id": str(uuid.uuid4()), "secret_id": str(uuid.uuid4())}
        with self.store.lock:
            engine = self.engines["", "transit"] = Transit(self.clock)
            engine.handle("POST", "keys/trousseau", {}, True)
            key = engine.keys["trousseau"]
            if "key" in kept:
                key.secrets, key.created = {1: bytes.fromhex(kept["key"])}, {1: kept["created"]}
            self.store.policies["", "trousseau"] = parse(policy)
            role = {
                "role_id": kept["role_id"], "secrets": {kept["secret_id"]: 0}, "token_policies": ["trousseau"],
                "token_ttl": "1h"}
            self.methods["", "approle"] = {"type": "approle", "roles": {"trousseau": role}}
            return {**kept, "key": key.secrets[1].hex(), "created": key.created[1]}

    def clock(self):
        return time.time() + self.store.offset

    def handle(self, request):
        """The status and the JSON of an answer; None: no body."""
        path, method = request.path, request.method
        if path == "sys/health":
            # The root namespace has it alone.
            if request.namespace:
                raise Refusal(400, "operation unavailable in namespaces")
            return self.health()
        if self.sealed:
            raise Refusal(503, "Vault is sealed")
        # A namespace may stand in the path as well.
        head, slash, rest = path.partition("/")
        if slash and head in self.namespaces:
            request.namespace = "/".join(part for part in (request.namespace, head) if part)
            path = request.path = rest
        if request.namespace not in self.namespaces:
            raise Refusal(404, f"no handler for route \"{path}\". route entry not found.")
        with self.store.lock:
            if path == "sys/wrapping/lookup" and method == "POST":
                token = self.store.wrapping(request.body.get("token") or request.token)
                return self.data({
                    "creation_path": token.path, "creation_ttl": round(token.whole),
                    "creation_time": "2026-01-01T00:00:00Z"})
            if path == "sys/wrapping/unwrap" and method == "POST":
                return self.data(self.store.unwrap(request.body.get("token") or request.token))
            if path.startswith("auth/") and path.endswith("/login"):
                return self.login(request)
            token = self.store.use(request.token, request.namespace)
            found = self.store.capabilities(token, path, request.namespace)
            wanted = CAPABILITIES.get(method, "sudo")
            # `create` is wanted instead where nothing is yet, and only `encrypt` looks.
            if wanted == "update" and self.makes(path, request.namespace):
                wanted = "create"
            if not found & {wanted, "root"}:
                raise Refusal(403, "1 error occurred:\n\t* permission denied\n\n")
            answer = self.route(request, token, bool(found & {"create", "root"}))
            if request.wrap and answer is not None:
                return 200, {"data": None, "auth": None, "warnings": None,
                             "wrap_info": self.store.wrap(answer[1]["data"], request.wrap, path)}
            return answer or (204, None)

    def makes(self, path, space):
        """Whether it is `encrypt` of a transit engine, for a key that is not there."""
        for (where, mount), engine in self.engines.items():
            if where == space and path.startswith(mount + "/encrypt/"):
                return path[len(mount + "/encrypt/"):] not in engine.keys
        return False

    def data(self, data):
        return 200, {
            "request_id": str(uuid.uuid4()), "lease_id": "", "renewable": False, "lease_duration": 0, "data": data,
            "wrap_info": None, "warnings": None, "auth": None}

    def authenticated(self, token):
        answer = self.data(None)
        answer[1]["auth"] = token.auth()
        return answer

    def health(self):
        status = 503 if self.sealed else 429 if self.standby else 200
        return status, {
            "initialized": True, "sealed": self.sealed, "standby": bool(self.standby) or self.sealed,
            "version": "1.4.0" if self.legacy else "1.99.0-stand-in", "server_time_utc": int(self.clock())}

    def route(self, request, token, may_create):
        path, method, body, space = request.path, request.method, request.body, request.namespace
        head, _, rest = path.partition("/")
        if head == "sys":
            return self.system(method, rest, body, space, token)
        if path.startswith("auth/token/"):
            return self.token(method, path[len("auth/token/"):], body, space, token)
        if head == "auth":
            return self.configure(method, rest, body, space)
        for (where, mount), engine in self.engines.items():
            if where == space and path.startswith(mount + "/"):
                engine.legacy = self.legacy
                answer = engine.handle(method, path[len(mount) + 1:], body, may_create)
                return self.data(answer) if answer is not None else None
        raise Refusal(404, f"no handler for route \"{path}\". route entry not found.")

    def system(self, method, path, body, space, token):
        head, _, rest = path.partition("/")
        if head == "mounts" and method == "POST" and body.get("type") == "transit":
            if (space, rest) in self.engines:
                raise Refusal(400, f"path is already in use at {rest}/")
            self.engines[space, rest] = Transit(self.clock)
            return None
        if head == "mounts" and method == "DELETE":
            self.engines.pop((space, rest), None)
            return None
        if head == "auth" and method == "POST" and body.get("type") in ("approle", "cert", "jwt", "kubernetes"):
            self.methods[space, rest] = {"type": body["type"], "roles": {}}
            return None
        if head == "auth" and method == "DELETE":
            self.methods.pop((space, rest), None)
            return None
        if head == "namespaces" and method == "POST":
            self.namespaces.add(rest)
            return self.data({"path": rest + "/"})
        if head == "namespaces" and method == "DELETE":
            self.namespaces.discard(rest)
            return None
        if path.startswith("policies/acl/"):
            name = (space, path[len("policies/acl/"):])
            if method == "DELETE":
                self.store.policies.pop(name, None)
            elif method in ("POST", "PUT"):
                self.store.policies[name] = parse(body.get("policy", ""))
            return None
        if path == "capabilities-self" and method == "POST":
            found = {name: sorted(self.store.capabilities(token, name, space)) for name in body.get("paths", [])}
            answer = self.data(found)
            answer[1].update(found)
            return answer
        raise Refusal(404)

    def token(self, method, path, body, space, token):
        if path == "lookup-self" and method == "GET":
            return self.data(token.data())
        if path == "renew-self" and method == "POST":
            if not token.renewable:
                raise Refusal(400, "lease is not renewable")
            token.renew(seconds(body.get("increment")))
            return self.authenticated(token)
        if path == "revoke-self" and method == "POST":
            if token.kind == "batch":
                raise Refusal(400, "batch tokens cannot be revoked")
            self.store.tokens.pop(token.id, None)
            return None
        if path == "revoke" and method == "POST":
            self.store.tokens.pop(body.get("token"), None)
            return None
        if path == "create" and method == "POST":
            return self.authenticated(
                self.store.make(body.get("policies", []), body, "auth/token/create", space))
        raise Refusal(404)

    def method(self, path, space):
        for (where, mount), method in self.methods.items():
            if where == space and path.startswith(mount + "/"):
                return mount, method, path[len(mount) + 1:]
        raise Refusal(404, f"no handler for route \"auth/{path}\". route entry not found.")

    def configure(self, method, path, body, space):
        mount, auth, rest = self.method(path, space)
        parts = rest.split("/")
        if parts[0] not in ("role", "certs", "config") or len(parts) < 2 and parts[0] != "config":
            raise Refusal(404)
        if parts[0] == "config":
            return None
        role = auth["roles"].get(parts[1])
        if len(parts) == 2 and method == "POST":
            auth["roles"].setdefault(parts[1], {"role_id": str(uuid.uuid4()), "secrets": {}}).update(body)
            return None
        if not role:
            raise Refusal(404)
        if len(parts) == 2 and method == "DELETE":
            del auth["roles"][parts[1]]
            return None
        if auth["type"] == "approle" and parts[2:] == ["role-id"] and method == "GET":
            return self.data({"role_id": role["role_id"]})
        if auth["type"] == "approle" and parts[2:] == ["secret-id"] and method == "POST":
            secret = str(uuid.uuid4())
            role["secrets"][secret] = int(role.get("secret_id_num_uses") or 0)
            return self.data({
                "secret_id": secret, "secret_id_accessor": str(uuid.uuid4()), "secret_id_num_uses": 0,
                "secret_id_ttl": 0})
        raise Refusal(404)

    def login(self, request):
        try:
            mount, auth, rest = self.method(request.path[len("auth/"):], request.namespace)
        except Refusal:
            # So that nobody learns which methods there are.
            raise Refusal(403, DENIED) from None
        if rest != "login" or request.method != "POST":
            raise Refusal(404)
        role = self.admit(request, mount, auth)
        policies = role.get("token_policies") or role.get("policies") or []
        policies = policies.split(",") if isinstance(policies, str) else policies
        token = self.store.make(
            policies, {**role, "renewable": role.get("renewable", True)}, request.path, request.namespace, "token_")
        return self.authenticated(token)

    def admit(self, request, mount, auth):
        """By default an AppRole is locked for 15 minutes after five refusals of which no two are 15 minutes apart."""
        name = (request.namespace, mount, request.body.get("role_id"))
        now = self.store.now()
        times = self.refusals.get(name, [])
        if auth["type"] == "approle" and len(times) >= 5 and now - times[-1] < 900:
            raise Refusal(403, DENIED)
        try:
            role = getattr(self, "login_" + auth["type"])(auth["roles"], request)
        except Refusal:
            recent = times if times and now - times[-1] < 900 else []
            self.refusals[name] = recent + [now]
            raise
        self.refusals.pop(name, None)
        return role

    def login_approle(self, roles, request):
        for role in roles.values():
            if role["role_id"] != request.body.get("role_id"):
                continue
            if role.get("bind_secret_id") is False:
                return role
            secret = request.body.get("secret_id")
            if secret in role["secrets"]:
                if role["secrets"][secret] == 1:
                    del role["secrets"][secret]
                elif role["secrets"][secret]:
                    role["secrets"][secret] -= 1
                return role
        raise Refusal(400, "invalid role or secret ID")

    def login_cert(self, roles, request):
        if not request.certificate:
            raise Refusal(400, "client certificate must be supplied")
        wanted = request.body.get("name")
        for name, role in roles.items():
            lines = [line for line in role.get("certificate", "").splitlines() if line and "-----" not in line]
            if wanted in (None, "", name) and base64.b64decode("".join(lines)) == request.certificate:
                return role
        raise Refusal(400, "invalid certificate or no client certificate supplied")

    def login_jwt(self, roles, request):
        role = roles.get(request.body.get("role"))
        if not role:
            raise Refusal(400, f"role \"{request.body.get('role')}\" could not be found")
        # Whether a signature is good is the server's business, not its client's: a role knows its tokens.
        if request.body.get("jwt") not in role.get("stand_in_tokens", []):
            raise Refusal(400, "error validating token: invalid signature")
        return role

    def login_kubernetes(self, roles, request):
        role = roles.get(request.body.get("role"))
        if not role:
            raise Refusal(400, f"invalid role name \"{request.body.get('role')}\"")
        if request.body.get("jwt") not in role.get("stand_in_tokens", []):
            raise Refusal(403, DENIED)
        return role
