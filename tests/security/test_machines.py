"""API keys and clients: shown once, scoped, ended, and of one tenant only."""

from dataclasses import replace
from datetime import timedelta

import pytest

from platform_core.security.authentication import Authenticator
from platform_core.security.contracts import NewApiKey, NewOAuthClient, Principal, Secret, Tokens
from platform_core.security.errors import (
    ClientInvalidError,
    CredentialError,
    CredentialNotFoundError,
    GrantUnsupportedError,
    RequestInvalidError,
    ScopeInvalidError,
    UnauthorizedError,
)
from platform_core.security.permissions import Permission, Role
from platform_core.security.service.machines import (
    create_api_key,
    create_client,
    list_api_keys,
    list_clients,
    revoke_api_key,
    revoke_client,
)
from platform_core.security.service.tokens import TokenRequest, exchange
from platform_core.security.service.users import disable_user, set_lines, set_roles
from platform_core.warehouse.connection import transaction
from tests.security.conftest import PASSWORD, Place

PUSH = frozenset({Permission.RECORD_WRITE, Permission.BI_READ})


def _is_let_in(authenticator: Authenticator, key: str) -> bool:
    try:
        authenticator.authenticate(key)
    except UnauthorizedError:
        return False
    return True


def _ask(place: Place, client_id: str, secret: Secret | None, scope: str | None = None) -> Tokens:
    return exchange(place.security, TokenRequest("client_credentials", client_id, secret, scope))


def test_a_service_accounts_key_may_what_its_scopes_say(place: Place) -> None:
    made, key = create_api_key(
        place.security, place.tenant.id, NewApiKey("MES gateway", PUSH, line_access=("L02", "L01"))
    )
    who = Authenticator(place.security).authenticate(key.value)
    assert (who.kind, who.user_id, who.tenant_id, who.name) == ("api_key", made.id, place.tenant.id, "MES gateway")
    assert who.permissions == PUSH
    assert who.lines == ("L01", "L02")
    assert key.value.startswith(f"takt_{made.prefix}_")


def test_a_key_is_shown_once_and_stored_as_a_hash(place: Place) -> None:
    made, key = create_api_key(place.security, place.tenant.id, NewApiKey("gateway", PUSH))
    secret = key.value.split("_", 2)[2]
    with transaction(place.warehouse) as conn:
        (row,) = conn.execute("select row::text from core.api_key as row").fetchone() or ("",)
    assert made.prefix in row
    assert secret not in row
    assert secret not in repr((made, key, list_api_keys(place.security, place.tenant.id)))
    assert str(key) == "***"


@pytest.mark.parametrize(
    "wrong",
    [
        lambda key: key[:-1] + ("A" if key[-1] != "A" else "B"),
        lambda key: key[:-1],
        lambda key: key + "x",
        lambda key: key.replace("takt_", "takt_x", 1),
        lambda key: "takt__" + key.split("_", 2)[2],
        lambda key: key.upper(),
        lambda key: "takt_\x00",
        lambda key: "takt_\ud800",
        lambda key: "takt_" + "é" * 12 + "_" + "a" * 43,
        lambda key: key + "\n",
    ],
)
def test_a_key_that_nobody_issued_is_refused(place: Place, wrong) -> None:
    _, key = create_api_key(place.security, place.tenant.id, NewApiKey("gateway", PUSH))
    assert not _is_let_in(Authenticator(place.security), wrong(key.value))


def test_a_revoked_key_is_over_at_once_here_and_within_two_seconds_elsewhere(place: Place) -> None:
    made, key = create_api_key(place.security, place.tenant.id, NewApiKey("gateway", PUSH))
    here, elsewhere = Authenticator(place.security), Authenticator(place.elsewhere())
    assert _is_let_in(here, key.value)
    assert _is_let_in(elsewhere, key.value)
    revoke_api_key(place.security, place.tenant.id, made.prefix)
    assert not _is_let_in(here, key.value)
    place.clock.pass_(seconds=2.1)
    assert not _is_let_in(elsewhere, key.value)


def test_a_key_is_over_at_its_time(place: Place) -> None:
    until = place.clock.now + timedelta(days=1)
    _, key = create_api_key(place.security, place.tenant.id, NewApiKey("gateway", PUSH, expires_at=until))
    authenticator = Authenticator(place.security)
    assert _is_let_in(authenticator, key.value)
    place.clock.pass_(days=1)
    assert not _is_let_in(authenticator, key.value)
    with pytest.raises(CredentialError):
        create_api_key(place.security, place.tenant.id, NewApiKey("late", PUSH, expires_at=until))


def test_a_persons_key_may_no_more_than_the_person_and_ends_with_them(place: Place) -> None:
    place.user("boss", Role.ADMIN)
    user = place.user("kim", Role.MANAGER, line_access=("L01", "L02"))
    new = NewApiKey("notebook", PUSH | {Permission.USER_WRITE}, owner_id=user.id, line_access=("L02", "L03"))
    _, key = create_api_key(place.security, place.tenant.id, new)
    authenticator = Authenticator(place.security)
    who = authenticator.authenticate(key.value)
    assert (who.user_id, who.permissions, who.lines) == (user.id, PUSH, ("L02",))
    set_roles(place.security, place.tenant.id, "kim", [Role.VIEWER])
    set_lines(place.security, place.tenant.id, "kim", [])
    who = authenticator.authenticate(key.value)
    assert (who.permissions, who.lines) == ({Permission.BI_READ}, ())
    disable_user(place.security, place.tenant.id, "kim")
    assert not _is_let_in(authenticator, key.value)


def test_nobody_makes_a_key_that_may_more_or_sees_more_than_they(place: Place) -> None:
    place.user("kim", Role.MANAGER, line_access=("L01",))
    who = Authenticator(place.security).authenticate(place.login().access_token)
    ours = place.tenant.id
    for new in (
        NewApiKey("k", PUSH | {Permission.USER_WRITE}, line_access=("L01",)),
        NewApiKey("k", PUSH),
        NewApiKey("k", PUSH, line_access=("L01", "L02")),
    ):
        with pytest.raises(CredentialError):
            create_api_key(place.security, ours, new, who)
    with pytest.raises(CredentialError):
        create_api_key(place.security, place.other.id, NewApiKey("k", PUSH, line_access=("L01",)), who)
    _, key = create_api_key(place.security, ours, NewApiKey("k", PUSH, line_access=("L01",)), who)
    narrow = replace(who, permissions=frozenset({Permission.BI_READ}))  # as a token of that scope would make it
    with pytest.raises(CredentialError):
        create_api_key(place.security, ours, NewApiKey("k", PUSH, line_access=("L01",)), narrow)
    assert _is_let_in(Authenticator(place.security), key.value)


@pytest.mark.parametrize("name", ["", " ", "x" * 101, "a\x00b"])
def test_a_key_without_a_usable_name_is_refused(place: Place, name: str) -> None:
    with pytest.raises(CredentialError):
        create_api_key(place.security, place.tenant.id, NewApiKey(name, PUSH))


def test_a_key_without_scopes_or_with_another_tenants_owner_is_refused(place: Place) -> None:
    foreign = place.user("lee", tenant=place.other)
    with pytest.raises(CredentialError, match="scope"):
        create_api_key(place.security, place.tenant.id, NewApiKey("k", frozenset()))
    with pytest.raises(CredentialError, match="same tenant"):
        create_api_key(place.security, place.tenant.id, NewApiKey("k", PUSH, owner_id=foreign.id))


def test_keys_and_clients_of_another_tenant_do_not_exist(place: Place) -> None:
    made, key = create_api_key(place.security, place.other.id, NewApiKey("theirs", PUSH))
    client, secret = create_client(place.security, place.other.id, NewOAuthClient("theirs", scopes=PUSH))
    for name in (made.prefix, str(made.id), "\x00"):
        with pytest.raises(CredentialNotFoundError):
            revoke_api_key(place.security, place.tenant.id, name)
    for name in (client.client_id, str(client.id)):
        with pytest.raises(CredentialNotFoundError):
            revoke_client(place.security, place.tenant.id, name)
    assert list_api_keys(place.security, place.tenant.id) == ()
    assert list_clients(place.security, place.tenant.id) == ()
    assert Authenticator(place.security).authenticate(key.value).tenant_slug == "other"
    assert _ask(place, client.client_id, secret).tenant_id == place.other.id


def test_when_a_key_was_used_is_remembered(place: Place) -> None:
    _, key = create_api_key(place.security, place.tenant.id, NewApiKey("gateway", PUSH))
    authenticator = Authenticator(place.security)
    authenticator.authenticate(key.value)
    (listed,) = list_api_keys(place.security, place.tenant.id)
    assert listed.last_used_at == place.clock.now


def test_a_client_gets_a_token_for_its_scopes_and_nothing_to_refresh(place: Place) -> None:
    new = NewOAuthClient("historian", scopes=PUSH, line_access=("L01",))
    client, secret = create_client(place.security, place.tenant.id, new)
    tokens = _ask(place, client.client_id, secret)
    assert tokens.refresh_token is None
    assert tokens.scope == ("bi:read", "record:write")
    who: Principal = Authenticator(place.security).authenticate(tokens.access_token)
    assert (who.kind, who.user_id, who.permissions, who.lines) == ("client", client.id, PUSH, ("L01",))
    assert _ask(place, client.client_id, secret, "bi:read").scope == ("bi:read",)
    with pytest.raises(ScopeInvalidError):
        _ask(place, client.client_id, secret, "user:write")


def test_a_client_with_a_wrong_secret_or_none_gets_nothing(place: Place) -> None:
    client, secret = create_client(place.security, place.tenant.id, NewOAuthClient("historian", scopes=PUSH))
    public, none = create_client(
        place.security,
        place.tenant.id,
        NewOAuthClient("browser", ("https://bi.example/callback",), is_public=True),
    )
    assert none is None
    for client_id, given in (
        (client.client_id, Secret("wrong")),
        (client.client_id, Secret("")),
        (client.client_id, None),
        ("takt-unknown", secret),
        ("\x00", secret),
        (public.client_id, secret),
        (public.client_id, None),
    ):
        with pytest.raises(ClientInvalidError) as caught:
            _ask(place, client_id, given)
        assert (caught.value.http_status, caught.value.oauth_error) == (401, "invalid_client")


def test_a_revoked_client_and_its_tokens_are_over(place: Place) -> None:
    client, secret = create_client(place.security, place.tenant.id, NewOAuthClient("historian", scopes=PUSH))
    token = _ask(place, client.client_id, secret).access_token
    authenticator = Authenticator(place.security)
    assert _is_let_in(authenticator, token)
    revoke_client(place.security, place.tenant.id, client.client_id)
    assert not _is_let_in(authenticator, token)
    with pytest.raises(ClientInvalidError):
        _ask(place, client.client_id, secret)


def test_the_password_grant_is_off_unless_it_is_switched_on(place: Place) -> None:
    place.user("kim")
    request = TokenRequest("password", tenant="default", username="kim", password=PASSWORD)
    with pytest.raises(GrantUnsupportedError) as caught:
        exchange(place.security, request)
    assert caught.value.oauth_error == "unsupported_grant_type"
    switched_on = replace(place.security, policy=replace(place.security.policy, password_grant=True))
    assert exchange(switched_on, request).refresh_token
    with pytest.raises(RequestInvalidError, match="username"):
        exchange(switched_on, replace(request, username=None))


@pytest.mark.parametrize("grant", ["", "implicit", "urn:ietf:params:oauth:grant-type:jwt-bearer"])
def test_a_grant_that_is_not_offered_is_refused(place: Place, grant: str) -> None:
    with pytest.raises(GrantUnsupportedError):
        exchange(place.security, TokenRequest(grant))


@pytest.mark.parametrize(
    "uri",
    [
        "http://bi.example/callback",
        "https://bi.example/callback#x",
        "https://*.example/callback",
        "javascript:alert(1)",
        "https://user@bi.example/",
        "//bi.example/callback",
        "https://",
        "http://127.0.0.1.evil.example/",
        "http://[::1",
        "",
    ],
)
def test_a_redirect_uri_that_leads_astray_is_refused(place: Place, uri: str) -> None:
    with pytest.raises(CredentialError):
        create_client(place.security, place.tenant.id, NewOAuthClient("browser", (uri,), is_public=True))
