"""Every route asks for a permission or says why it does not; who lacks it is told which."""

import pytest
from fastapi.routing import APIRoute

from platform_api.authorisation import PUBLIC, permissions_of_route
from platform_api.main import ROUTERS, create_app
from platform_core.security.permissions import Permission, Role, permissions_of
from platform_core.settings import Settings
from tests.platform_api.client import ask
from tests.platform_api.conftest import Api

ROUTES = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
GUARDED = [(route, method) for route in ROUTES if route.path not in PUBLIC for method in sorted(route.methods or ())]
QUESTION = {"metrics": ["total_qty"], "time": {"first": "2026-03-02", "last": "2026-03-02"}}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
def test_a_route_asks_for_one_permission_or_is_public_with_a_reason(route: APIRoute) -> None:
    asked = permissions_of_route(route)
    assert (len(asked) == 1) != (route.path in PUBLIC), f"{route.path} asks for {asked}"


def test_nothing_is_public_that_is_no_route() -> None:
    assert PUBLIC.keys() <= {route.path for route in ROUTES}


def test_no_route_escapes_these_tests() -> None:
    assert set(create_app(Settings()).openapi()["paths"]) == {route.path for route in ROUTES}


def test_each_role_comes_as_far_as_its_permissions_go(api: Api) -> None:
    wrong: list[str] = []
    for route, method in GUARDED:
        (permission,) = permissions_of_route(route)
        for role in Role:
            answer = api.ask(method, route.path, role, json=QUESTION if method == "POST" else None)
            may = permission in permissions_of(role)
            if may != (answer.status_code not in (401, 403)) or answer.status_code >= 500:
                wrong.append(f"{role} {method} {route.path}: {answer.status_code} {answer.text[:200]}")
    assert not wrong


def test_without_a_credential_nobody_comes_in(api: Api) -> None:
    for route, method in GUARDED:
        answer = api.ask(method, route.path, None, json=QUESTION)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "ERR_UNAUTHORIZED"), route.path
        assert answer.headers["www-authenticate"] == 'Bearer realm="takt"'


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer nonsense"},
        {"Authorization": "Bearer takt_aaaaaaaa_nonsense"},
        {"Authorization": "Basic a2V5OnNlY3JldA=="},
        {"X-API-Key": "takt_"},
    ],
)
def test_a_credential_that_is_none_is_refused(api: Api, headers: dict[str, str]) -> None:
    answer = api.ask("GET", "/api/v1/auth/me", None, headers=headers)
    assert answer.status_code == 401


def test_a_refusal_names_the_permission_that_is_missing(api: Api) -> None:
    key = api.key(frozenset({Permission.ETL_READ}))
    answer = api.ask("POST", "/api/v1/bi/query", None, headers={"X-API-Key": key}, json=QUESTION)
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "ERR_FORBIDDEN"
    assert "bi:read" in answer.json()["error"]["message"]


def test_another_tenant_cannot_be_named(api: Api) -> None:
    own = {"X-Tenant-ID": str(api.tenant.id)}
    foreign = {"X-Tenant-ID": str(api.other.id)}
    assert api.ask("GET", "/api/v1/auth/me", headers=own).status_code == 200
    assert api.ask("GET", "/api/v1/auth/me", headers={"X-Tenant-ID": api.tenant.slug}).status_code == 200
    refused = api.ask("GET", "/api/v1/auth/me", headers=foreign)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "ERR_FORBIDDEN")


def test_where_no_warehouse_was_made_the_api_says_so(settings: Settings) -> None:
    app = create_app(Settings(home=settings.home / "empty", database_url=None, api_database_url=None))
    answer = ask(app, "GET", "/api/v1/auth/me", headers={"Authorization": "Bearer x"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "ERR_SERVICE_UNAVAILABLE")
