"""OpenID Connect as a client speaks it: discovery, a code's exchange, an id_token to be believed. Knows no database."""

import hashlib
import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from urllib.parse import urlencode, urlsplit

import httpx
import jwt

from platform_core.security.contracts import Secret
from platform_core.security.errors import ProviderError, ProviderInvalidError

ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")
"""Asymmetric ones only: with `none` or a shared secret anybody could sign."""
_MOST_BYTES = 1 << 20
_LEEWAY = timedelta(seconds=60)


@dataclass(frozen=True)
class Endpoints:
    """Where a provider answers, as it says itself."""

    issuer: str
    authorization: str
    token: str
    keys: str


@dataclass(frozen=True)
class Client:
    """Who we are at the provider."""

    client_id: str
    secret: Secret | None
    redirect_uri: str


@dataclass(frozen=True)
class Expected:
    """What an id_token must carry."""

    issuer: str
    client_id: str
    nonce: str


@dataclass(frozen=True)
class Person:
    """What a verified id_token says of somebody."""

    subject: str
    email: str | None
    email_verified: bool
    name: str | None
    groups: tuple[str, ...]


def check_issuer(issuer: str) -> str:
    """The issuer's URL; raises ProviderInvalidError unless it is https, or http to this machine."""
    try:
        parts = urlsplit(issuer)
        host = parts.hostname
    except ValueError:
        parts, host = urlsplit(""), None
    safe = parts.scheme == "https" or (parts.scheme == "http" and host in ("127.0.0.1", "::1", "localhost"))
    if not host or not safe or parts.query or parts.fragment or parts.username is not None:
        raise ProviderInvalidError(f"{issuer[:200]!r} cannot be an issuer.", hint="Such as https://login.example.com.")
    return issuer


def discover(http: httpx.Client, issuer: str) -> Endpoints:
    """Ask the provider where it answers; raises ProviderError, also when it names another issuer than itself."""
    said = _json(_get(http, f"{issuer.rstrip('/')}/.well-known/openid-configuration"))
    try:
        found = Endpoints(
            str(said["issuer"]),
            str(said["authorization_endpoint"]),
            str(said["token_endpoint"]),
            str(said["jwks_uri"]),
        )
    except KeyError as error:
        raise ProviderError(f"The provider {issuer} does not say its {error}.") from error
    if found.issuer != issuer:
        raise ProviderError(f"The provider at {issuer} says that it is {found.issuer[:200]}.")
    for address in (found.authorization, found.token, found.keys):
        check_issuer(address.partition("?")[0])
    return found


def authorization_url(
    endpoints: Endpoints, client: Client, scopes: Sequence[str], state: str, nonce: str, verifier: str
) -> str:
    """Where to send the browser."""
    challenge = urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    query = {
        "response_type": "code",
        "client_id": client.client_id,
        "redirect_uri": client.redirect_uri,
        "scope": " ".join(dict.fromkeys(["openid", *scopes])),
        "state": state,
        "nonce": nonce,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    return f"{endpoints.authorization}{'&' if '?' in endpoints.authorization else '?'}{urlencode(query)}"


def redeem(http: httpx.Client, endpoints: Endpoints, client: Client, code: Secret, verifier: str) -> str:
    """The id_token for a code; raises ProviderError with what the provider said."""
    form = {
        "grant_type": "authorization_code",
        "code": code.value,
        "redirect_uri": client.redirect_uri,
        "client_id": client.client_id,
        "code_verifier": verifier,
    }
    auth = httpx.BasicAuth(client.client_id, client.secret.value) if client.secret else None
    answer = _json(_ask(http, "POST", endpoints.token, data=form, auth=auth))
    token = answer.get("id_token")
    if not isinstance(token, str):
        raise ProviderError("The provider answered without an id_token.", hint="Its client needs the scope openid.")
    return token


def verify(
    http: httpx.Client, endpoints: Endpoints, expected: Expected, token: str, now: datetime, groups_claim: str
) -> Person:
    """Who it is, by a token that the provider signed for us, now, for this login. Raises ProviderError."""
    try:
        header = jwt.get_unverified_header(token)
        if header.get("alg") not in ALGORITHMS:
            raise _untrusted(f"it is signed by {str(header.get('alg'))[:20]!r}")
        claims: dict[str, Any] = jwt.decode(
            token,
            _key(http, endpoints, header),
            algorithms=[str(header["alg"])],
            audience=expected.client_id,
            issuer=expected.issuer,
            options={
                "require": ["iss", "aud", "sub", "exp", "iat"],
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
        _check(claims, expected, now)
        return _person(claims, groups_claim)
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise _untrusted(str(error)) from error


def _check(claims: Mapping[str, Any], expected: Expected, now: datetime) -> None:
    if datetime.fromtimestamp(int(claims["exp"]), UTC) + _LEEWAY <= now:
        raise _untrusted("its time is over")
    if datetime.fromtimestamp(int(claims["iat"]), UTC) - _LEEWAY > now:
        raise _untrusted("it is from the future")
    if not hmac.compare_digest(str(claims.get("nonce", "")).encode("utf-8", "replace"), expected.nonce.encode()):
        raise _untrusted("it is of another login (nonce)")
    several = isinstance(claims["aud"], list) and len(cast(list[object], claims["aud"])) > 1
    if ("azp" in claims or several) and claims.get("azp") != expected.client_id:
        raise _untrusted("it was issued for another client (azp)")
    if not claims["sub"]:
        raise _untrusted("it names nobody")


def _person(claims: Mapping[str, Any], groups_claim: str) -> Person:
    groups = _nested(claims, groups_claim)
    listed = cast(list[object], groups) if isinstance(groups, list) else [groups] if isinstance(groups, str) else []
    email, name = claims.get("email"), claims.get("name")
    return Person(
        subject=str(claims["sub"]),
        email=email.strip().lower() if isinstance(email, str) and email.strip() else None,
        email_verified=claims.get("email_verified") in (True, "true"),  # some providers send it as text
        name=name.strip() if isinstance(name, str) and name.strip() else None,
        groups=tuple(str(group) for group in listed),
    )


def _nested(claims: Mapping[str, Any], path: str) -> object:
    """A claim by its name, or by a path with dots, as Keycloak's realm_access.roles."""
    if path in claims:
        return claims[path]
    at: object = claims
    for part in path.split("."):
        at = cast(dict[str, object], at).get(part) if isinstance(at, dict) else None
    return at


def _key(http: httpx.Client, endpoints: Endpoints, header: Mapping[str, Any]) -> jwt.PyJWK:
    """The provider's key that the token names; of one key only the name may be missing."""
    listed = _json(_get(http, endpoints.keys)).get("keys")
    keys = [
        cast(dict[str, Any], key)
        for key in (cast(list[object], listed) if isinstance(listed, list) else [])
        if isinstance(key, dict)
    ]
    signing = [key for key in keys if key.get("use", "sig") == "sig" and key.get("kty") != "oct"]
    kid = header.get("kid")
    found = [key for key in signing if key.get("kid") == kid] if kid is not None else signing
    if len(found) != 1:
        raise _untrusted("it names no key of the provider")
    return jwt.PyJWK(found[0], str(header["alg"]))


def _get(http: httpx.Client, url: str) -> bytes:
    return _ask(http, "GET", url)


def _ask(http: httpx.Client, method: str, url: str, **more: Any) -> bytes:
    """The body of an answer that is no error and no redirect, and of a size that can be held."""
    try:
        with http.stream(method, url, headers={"accept": "application/json"}, follow_redirects=False, **more) as answer:
            body = b""
            for piece in answer.iter_bytes():
                body += piece
                if len(body) > _MOST_BYTES:
                    raise ProviderError(f"The provider's answer at {url} is too long.")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ProviderError(f"The provider does not answer at {url}: {error or type(error).__name__}") from error
    if answer.status_code != 200:
        raise ProviderError(f"The provider answers {answer.status_code} at {url}: {_reason(body)}".rstrip(": "))
    return body


def _reason(body: bytes) -> str:
    """The error of RFC 6749 in a body, and nothing else of it."""
    try:
        said = json.loads(body)
    except ValueError:
        return ""
    return str(cast(dict[str, object], said).get("error", ""))[:100] if isinstance(said, dict) else ""


def _json(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ProviderError("The provider's answer is not JSON.") from error
    if not isinstance(said, dict):
        raise ProviderError("The provider's answer is not a JSON object.")
    return cast(dict[str, Any], said)


def _untrusted(why: str) -> ProviderError:
    return ProviderError(f"The provider's id_token cannot be trusted: {why[:200]}.")
