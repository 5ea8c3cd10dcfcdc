"""Tokens over HTTP, as any OAuth client speaks it."""

import base64
from typing import Any

import httpx
import jwt
import pytest

from platform_core.security.contracts import NewOAuthClient
from platform_core.security.permissions import Permission
from platform_core.security.service.machines import create_client
from tests.platform_api.client import ask
from tests.platform_api.conftest import Api

MACHINE = {"grant_type": "client_credentials"}


@pytest.fixture
def client(api: Api) -> tuple[str, str]:
    """Id and secret of a client that may read numbers."""
    made, secret = create_client(
        api.security, api.tenant.id, NewOAuthClient("bot", scopes=frozenset({Permission.BI_READ}))
    )
    assert secret is not None
    return made.client_id, secret.value


def _basic(client: tuple[str, str]) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(":".join(client).encode()).decode()}


def _token(api: Api, form: dict[str, str], headers: dict[str, str] | None = None) -> httpx.Response:
    return ask(api.app, "POST", "/api/v1/auth/token", data=form, headers=headers or {})


def _me(api: Api, token: str) -> httpx.Response:
    return ask(api.app, "GET", "/api/v1/auth/me", headers={"Authorization": f"Bearer {token}"})


def test_a_client_gets_a_token_that_the_api_takes(api: Api, client: tuple[str, str]) -> None:
    answer = _token(api, MACHINE, _basic(client))
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    given: dict[str, Any] = answer.json()
    assert (given["token_type"], given["expires_in"], given["scope"]) == ("Bearer", 900, "bi:read")
    found = _me(api, given["access_token"]).json()["data"]
    assert (found["tenant"], found["kind"], found["permissions"]) == ("default", "client", ["bi:read"])


def test_client_and_secret_may_stand_in_the_form(api: Api, client: tuple[str, str]) -> None:
    form = {"grant_type": "client_credentials", "client_id": client[0], "client_secret": client[1]}
    assert _token(api, form).status_code == 200


def test_anybody_can_check_a_token_with_the_public_keys(api: Api, client: tuple[str, str]) -> None:
    token = _token(api, MACHINE, _basic(client)).json()["access_token"]
    keys = jwt.PyJWKSet.from_dict(ask(api.app, "GET", "/.well-known/jwks.json").json())
    kid = jwt.get_unverified_header(token)["kid"]
    policy = api.security.policy
    claims = jwt.decode(token, keys[kid].key, ["RS256"], audience=policy.audience, issuer=policy.issuer)
    assert claims["tenant_id"] == str(api.tenant.id)


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({"grant_type": "client_credentials"}, 400, "invalid_request"),
        ({"grant_type": "client_credentials", "client_id": "takt-x", "client_secret": "y"}, 401, "invalid_client"),
        (
            {"grant_type": "password", "username": "a", "password": "b", "tenant_id": "default"},
            400,
            "unsupported_grant_type",
        ),
        ({"grant_type": "refresh_token", "refresh_token": "nonsense"}, 400, "invalid_grant"),
        ({"grant_type": "magic"}, 400, "unsupported_grant_type"),
    ],
)
def test_what_is_refused_has_the_word_of_the_standard(api: Api, form: dict[str, str], status: int, error: str) -> None:
    answer = _token(api, form)
    assert (answer.status_code, answer.json()["error"]) == (status, error)


def test_a_scope_beyond_the_clients_is_refused(api: Api, client: tuple[str, str]) -> None:
    answer = _token(api, {**MACHINE, "scope": "user:write"}, _basic(client))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")


def test_a_basic_header_that_is_none_is_an_unknown_client(api: Api) -> None:
    answer = _token(api, MACHINE, {"Authorization": "Basic ???"})
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert answer.headers["www-authenticate"] == 'Basic realm="takt"'


def test_an_unknown_token_is_revoked_already(api: Api) -> None:
    assert ask(api.app, "POST", "/api/v1/auth/revoke", data={"token": "nonsense"}).status_code == 200
    refused = ask(api.app, "POST", "/api/v1/auth/refresh", data={"refresh_token": "nonsense"})
    assert refused.json()["error"] == "invalid_grant"
