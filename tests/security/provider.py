"""A provider of sign-in on loopback that speaks OpenID Connect over HTTP, and misbehaves when it is told to."""

import base64
import hashlib
import json
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from secrets import token_urlsafe
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

CLIENT_ID, CLIENT_SECRET = "takt-at-idp", "secret of takt"

Claims = dict[str, Any]


@dataclass
class FakeProvider:
    """Its state: who is logged in there, its keys, and what it does wrong."""

    issuer: str = ""
    now: Callable[[], float] = time.time
    person: Claims = field(default_factory=dict)
    key: Any = field(default_factory=lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048))
    algorithm: str = "RS256"
    kid: str = "one"
    token_kid: str | None = None
    """Another key than its own that its tokens name."""
    change_claims: Callable[[Claims], Claims] = lambda claims: claims
    change_token: Callable[[str], str] = lambda token: token
    discovery: Claims = field(default_factory=dict)
    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    """Whole answers by path, in place of the right ones."""
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def visit(self, url: str) -> dict[str, str]:
        """What a browser does: opens the authorization URL, is logged in, and comes back with a query."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        assert query["response_type"] == "code"
        assert query["client_id"] == CLIENT_ID
        code = token_urlsafe(8)
        self.codes[code] = query
        return {"code": code, "state": query["state"]}

    def documents(self) -> Claims:
        """The discovery document."""
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
        } | self.discovery

    def key_set(self) -> Claims:
        """Its public keys, one that only encrypts among them."""
        key = self.key
        if isinstance(key, ec.EllipticCurvePrivateKey):
            public = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
        else:
            public = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
        return {"keys": [public | {"kid": self.kid, "use": "sig"}, public | {"kid": "other", "use": "enc"}]}

    def exchange(self, form: dict[str, str], authorization: str) -> tuple[int, Claims]:
        """The token endpoint: checks client, code, address and PKCE."""
        expected = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".replace(" ", "+").encode()).decode()
        plain = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        if authorization not in (f"Basic {expected}", f"Basic {plain}"):
            return 401, {"error": "invalid_client"}
        begun = self.codes.pop(form["code"], None)
        if begun is None or begun["redirect_uri"] != form["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        made = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=").decode()
        if made != begun["code_challenge"] or begun["code_challenge_method"] != "S256":
            return 400, {"error": "invalid_grant"}
        now = int(self.now())
        claims = {"iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": begun["nonce"]}
        claims = self.change_claims(claims | self.person)
        token = jwt.encode(claims, self.key, algorithm=self.algorithm, headers={"kid": self.token_kid or self.kid})
        return 200, {"access_token": "x", "token_type": "Bearer", "id_token": self.change_token(token)}


@contextmanager
def running() -> Generator[FakeProvider]:
    """A provider that listens."""
    provider = FakeProvider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            pages = {"/.well-known/openid-configuration": provider.documents, "/keys": provider.key_set}
            self._answer(path, lambda: (200, pages[path]()) if path in pages else (404, {}))

        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            form = {name: values[0] for name, values in parse_qs(self.rfile.read(length).decode()).items()}
            self._answer("/token", lambda: provider.exchange(form, self.headers.get("authorization", "")))

        def _answer(self, path: str, make: Callable[[], tuple[int, Claims]]) -> None:
            provider.asked.append(path)
            status, body = provider.answers.get(path) or (lambda made: (made[0], json.dumps(made[1]).encode()))(make())
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("location", f"{provider.issuer}/elsewhere?{urlencode({'x': 1})}")
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider.issuer = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
