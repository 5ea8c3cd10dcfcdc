"""Authorization code with PKCE: the right program gets tokens once, everybody else nothing."""

from dataclasses import replace

import pytest

from platform_core.security.authentication import Authenticator
from platform_core.security.contracts import AuthorizationRequest, NewOAuthClient, OAuthClient, Secret, Tokens
from platform_core.security.errors import (
    ClientInvalidError,
    GrantInvalidError,
    OAuthError,
    RequestInvalidError,
    ScopeInvalidError,
    UnauthorizedError,
)
from platform_core.security.permissions import Permission, Role
from platform_core.security.service.codes import check_authorization, create_code
from platform_core.security.service.login import Credentials, verify_login
from platform_core.security.service.machines import create_client, revoke_client
from platform_core.security.service.tokens import TokenRequest, exchange, revoke_token
from platform_core.security.service.users import disable_user
from tests.security.conftest import PASSWORD, Place

VERIFIER = Secret("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
CALLBACK = "https://bi.example/callback"
LOOPBACK = "http://127.0.0.1/callback"


@pytest.fixture
def client(place: Place) -> OAuthClient:
    made, _ = create_client(
        place.security, place.tenant.id, NewOAuthClient("browser", (CALLBACK, LOOPBACK), is_public=True)
    )
    return made


def _request(client: OAuthClient, **changed: str) -> AuthorizationRequest:
    return replace(AuthorizationRequest(client.client_id, CALLBACK, CHALLENGE), **changed)


def _code(place: Place, client: OAuthClient, **changed: str) -> Secret:
    checked = check_authorization(place.security, _request(client, **changed))
    user = verify_login(place.security, Credentials(checked.tenant_slug, "kim", PASSWORD))
    return create_code(place.security, checked, user)


def _redeem(place: Place, client: OAuthClient, held: Secret, **changed: object) -> Tokens:
    request = TokenRequest(
        "authorization_code", client.client_id, code=held, redirect_uri=CALLBACK, code_verifier=VERIFIER
    )
    return exchange(place.security, replace(request, **changed))  # type: ignore[arg-type]


def test_a_code_becomes_tokens_of_the_person_for_that_client(place: Place, client: OAuthClient) -> None:
    place.user("kim", Role.ANALYST)
    tokens = _redeem(place, client, _code(place, client, scope="bi:read user:write"))
    who = Authenticator(place.security).authenticate_bearer(tokens.access_token)
    assert (who.kind, who.name, who.permissions) == ("user", "kim", {Permission.BI_READ})
    again = exchange(
        place.security,
        TokenRequest("refresh_token", client.client_id, refresh_token=Secret(str(tokens.refresh_token))),
    )
    assert again.scope == ("bi:read",)


def test_a_program_on_this_machine_may_listen_on_any_port(place: Place, client: OAuthClient) -> None:
    place.user("kim")
    there = "http://127.0.0.1:49152/callback"
    assert _redeem(place, client, _code(place, client, redirect_uri=there), redirect_uri=there)


@pytest.mark.parametrize(
    "changed",
    [
        {"code_verifier": Secret("a" * 43)},
        {"code_verifier": Secret(CHALLENGE)},
        {"code_verifier": Secret("")},
        {"redirect_uri": LOOPBACK},
        {"redirect_uri": "\ud800"},
        {"code_verifier": None},
        {"redirect_uri": None},
        {"client_id": None},
        {"code": Secret("guessed")},
        {"code": None},
    ],
)
def test_a_code_with_anything_wrong_about_it_gives_nothing(place: Place, client: OAuthClient, changed) -> None:
    place.user("kim")
    code = _code(place, client)
    with pytest.raises(OAuthError):
        _redeem(place, client, code, **changed)


def test_a_wrong_try_uses_the_code_up(place: Place, client: OAuthClient) -> None:
    place.user("kim")
    code = _code(place, client)
    with pytest.raises(GrantInvalidError):
        _redeem(place, client, code, code_verifier=Secret("b" * 43))
    with pytest.raises(GrantInvalidError):
        _redeem(place, client, code)


def test_a_replayed_code_ends_what_the_first_one_got(place: Place, client: OAuthClient) -> None:
    place.user("kim")
    code = _code(place, client)
    tokens = _redeem(place, client, code)
    authenticator = Authenticator(place.security)
    authenticator.authenticate_bearer(tokens.access_token)
    with pytest.raises(GrantInvalidError, match="used before"):
        _redeem(place, client, code)
    with pytest.raises(UnauthorizedError):
        authenticator.authenticate_bearer(tokens.access_token)
    with pytest.raises(GrantInvalidError):
        exchange(
            place.security,
            TokenRequest("refresh_token", client.client_id, refresh_token=Secret(str(tokens.refresh_token))),
        )


def test_a_code_is_good_for_a_minute(place: Place, client: OAuthClient) -> None:
    place.user("kim")
    code = _code(place, client)
    place.clock.pass_(seconds=60)
    with pytest.raises(GrantInvalidError):
        _redeem(place, client, code)


def test_a_code_of_one_client_is_worth_nothing_to_another(place: Place, client: OAuthClient) -> None:
    place.user("kim")
    new = NewOAuthClient("other", (CALLBACK,), is_public=True)
    other, _ = create_client(place.security, place.tenant.id, new)
    foreign, _ = create_client(place.security, place.other.id, new)
    for wrong in (other, foreign):
        with pytest.raises(GrantInvalidError):
            _redeem(place, wrong, _code(place, client))


def test_a_refresh_token_of_one_client_is_worth_nothing_to_another_and_nobody_else_ends_it(
    place: Place, client: OAuthClient
) -> None:
    place.user("kim")
    tokens = _redeem(place, client, _code(place, client))
    other, _ = create_client(place.security, place.tenant.id, NewOAuthClient("o", (CALLBACK,), is_public=True))
    kept = Secret(str(tokens.refresh_token))
    for wrong in (other.client_id, None):
        with pytest.raises(GrantInvalidError):
            exchange(place.security, TokenRequest("refresh_token", wrong, refresh_token=kept))
        revoke_token(place.security, kept, wrong, None)
    assert exchange(place.security, TokenRequest("refresh_token", client.client_id, refresh_token=kept))


def test_a_client_with_a_secret_needs_it_for_a_code_too(place: Place) -> None:
    place.user("kim", Role.ADMIN)
    new = NewOAuthClient("server", (CALLBACK,), frozenset({Permission.BI_READ, Permission.BI_WRITE}))
    made, secret = create_client(place.security, place.tenant.id, new)
    with pytest.raises(ClientInvalidError):
        _redeem(place, made, _code(place, made))
    tokens = _redeem(place, made, _code(place, made), client_secret=secret)
    assert tokens.scope == ("bi:read", "bi:write")  # no more than the client may have
    with pytest.raises(ScopeInvalidError):
        check_authorization(place.security, _request(made, scope="user:write"))


@pytest.mark.parametrize(
    "changed",
    [
        {"redirect_uri": "https://evil.example/callback"},
        {"redirect_uri": CALLBACK + "/../x"},
        {"redirect_uri": CALLBACK + "?next=evil"},
        {"redirect_uri": "http://127.0.0.1:1@evil.example/callback"},
        {"redirect_uri": "http://localhost:80/callback"},
        {"redirect_uri": "http://127.0.0.1:99999/callback"},
        {"redirect_uri": "http://127.0.0.1/other"},
        {"redirect_uri": ""},
        {"response_type": "token"},
        {"code_challenge_method": "plain"},
        {"code_challenge": ""},
        {"code_challenge": "short"},
        {"code_challenge": "=" * 43},
    ],
)
def test_a_request_that_breaks_the_protocol_gets_no_login_page(place: Place, client: OAuthClient, changed) -> None:
    with pytest.raises(RequestInvalidError):
        check_authorization(place.security, _request(client, **changed))


def test_an_unknown_or_revoked_client_gets_no_login_page(place: Place, client: OAuthClient) -> None:
    with pytest.raises(ClientInvalidError):
        check_authorization(place.security, _request(client, client_id="takt-unknown"))
    revoke_client(place.security, place.tenant.id, client.client_id)
    with pytest.raises(ClientInvalidError):
        check_authorization(place.security, _request(client))


def test_the_tokens_of_people_end_with_the_client_that_got_them(place: Place, client: OAuthClient) -> None:
    place.user("kim")
    place.user("lee")
    tokens, untouched = _redeem(place, client, _code(place, client)), place.login("lee")
    authenticator = Authenticator(place.security)
    authenticator.authenticate_bearer(tokens.access_token)
    revoke_client(place.security, place.tenant.id, client.client_id)
    with pytest.raises(UnauthorizedError):
        authenticator.authenticate_bearer(tokens.access_token)
    assert authenticator.authenticate_bearer(untouched.access_token).name == "lee"


def test_a_user_of_another_tenant_gets_no_code(place: Place, client: OAuthClient) -> None:
    foreign = place.user("lee", tenant=place.other)
    with pytest.raises(RequestInvalidError):
        create_code(place.security, check_authorization(place.security, _request(client)), foreign)


def test_a_user_who_is_disabled_between_page_and_redemption_gets_nothing(place: Place, client: OAuthClient) -> None:
    place.user("kim")
    code = _code(place, client)
    disable_user(place.security, place.tenant.id, "kim")
    with pytest.raises(GrantInvalidError):
        _redeem(place, client, code)
