"""Signing in at an OpenID Connect provider: who gets in as whom, and which answers are not believed."""

import json
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from platform_core.security.authentication import Authenticator
from platform_core.security.contracts import Secret, User
from platform_core.security.errors import (
    ProviderError,
    ProviderInvalidError,
    ProviderNotFoundError,
    SignInRefusedError,
    UnauthorizedError,
)
from platform_core.security.permissions import Role
from platform_core.security.service.sessions import begin_session
from platform_core.security.service.sign_in import (
    Arrival,
    Departure,
    NewProvider,
    SignIn,
    begin_sign_in,
    disable_provider,
    finish_sign_in,
    list_providers,
    put_provider,
)
from platform_core.security.service.users import disable_user, list_users, set_roles
from tests.security.conftest import Place
from tests.security.provider import CLIENT_ID, CLIENT_SECRET, FakeProvider, running

BACK = "https://takt.example/auth/callback"
GROUPS = {"factory-admins": [Role.ADMIN], "quality": [Role.ANALYST], "night": [Role.OPERATOR]}
KIM = {"sub": "1234", "email": "Kim@Plant.example", "email_verified": True, "name": "김철수", "groups": ["quality"]}


@dataclass
class Door:
    """Takt and a provider, made known as `idp`."""

    sign_in: SignIn
    provider: FakeProvider
    place: Place

    def open(self, **changed: object) -> None:
        """Make the provider known, with a map of groups."""
        new = NewProvider("idp", self.provider.issuer, CLIENT_ID, Secret(CLIENT_SECRET), group_roles=GROUPS)
        put_provider(self.sign_in, self.place.tenant.id, "default", replace(new, **changed))  # type: ignore[arg-type]

    def begin(self) -> tuple[Departure, Arrival]:
        """Leave, log in there and come back in the same browser."""
        left = begin_sign_in(self.sign_in, "default", "idp", BACK)
        back = self.provider.visit(left.url)
        return left, Arrival(Secret(back["state"]), left.state, Secret(back["code"]))

    def enter(self) -> User:
        """All of it."""
        return finish_sign_in(self.sign_in, self.begin()[1])


@pytest.fixture
def door(place: Place) -> Generator[Door]:
    with running() as provider, httpx.Client(timeout=5, trust_env=False) as http:
        provider.now = lambda: place.clock.now.timestamp()
        provider.person = dict(KIM)
        made = Door(SignIn(place.security, http, place.settings), provider, place)
        made.open()
        yield made


def test_somebody_new_becomes_a_user_with_the_roles_of_their_groups(door: Door) -> None:
    user = door.enter()
    assert (user.email, user.display_name, user.roles, user.status) == (
        "kim@plant.example",
        "김철수",
        (Role.ANALYST,),
        "active",
    )
    assert not user.has_password
    tokens = begin_session(door.place.security, user)
    who = Authenticator(door.place.security).authenticate_bearer(tokens.access_token)
    assert (who.user_id, who.roles) == (user.id, {Role.ANALYST})


def test_the_same_person_is_the_same_user_whatever_the_e_mail_has_become(door: Door) -> None:
    first = door.enter()
    door.provider.person |= {"email": "kim.married@plant.example", "groups": ["night", "factory-admins"]}
    again = door.enter()
    assert again.id == first.id
    assert set(again.roles) == {Role.ADMIN, Role.OPERATOR}


def test_roles_that_the_provider_takes_away_end_the_tokens_that_have_them(door: Door) -> None:
    door.provider.person["groups"] = ["factory-admins"]
    tokens = begin_session(door.place.security, door.enter())
    authenticator = Authenticator(door.place.security)
    authenticator.authenticate_bearer(tokens.access_token)
    door.provider.person["groups"] = ["quality"]
    door.enter()
    with pytest.raises(UnauthorizedError):
        authenticator.authenticate_bearer(tokens.access_token)


@pytest.mark.parametrize("groups", [[], ["unknown"], "unknown", None, 7, [None]])
def test_without_a_group_that_is_mapped_nobody_gets_in(door: Door, groups: object) -> None:
    door.provider.person["groups"] = groups
    with pytest.raises(SignInRefusedError, match="no role"):
        door.enter()
    assert list_users(door.place.security, door.place.tenant.id) == ()


def test_a_provider_without_a_map_gives_the_default_roles_once(door: Door) -> None:
    door.open(group_roles={}, default_roles=frozenset({Role.VIEWER}))
    user = door.enter()
    assert user.roles == (Role.VIEWER,)
    set_roles(door.place.security, door.place.tenant.id, user.email, [Role.MANAGER])
    assert door.enter().roles == (Role.MANAGER,)


def test_groups_may_lie_deeper_in_the_token(door: Door) -> None:
    door.open(groups_claim="realm_access.roles")
    door.provider.person["realm_access"] = {"roles": ["night"]}
    assert door.enter().roles == (Role.OPERATOR,)


def test_a_user_who_is_there_is_linked_only_by_a_verified_e_mail_of_a_provider_that_is_trusted(door: Door) -> None:
    there = door.place.user("kim", Role.VIEWER)
    door.provider.person["email"] = there.email
    with pytest.raises(SignInRefusedError, match="already"):
        door.enter()
    door.open(link_by_email=True)
    for unverified in (False, None, "false", 1.5):
        door.provider.person["email_verified"] = unverified
        with pytest.raises(SignInRefusedError, match="already"):
            door.enter()
    door.provider.person["email_verified"] = "true"
    linked = door.enter()
    assert (linked.id, linked.roles) == (there.id, (Role.ANALYST,))


def test_a_disabled_user_does_not_get_in(door: Door) -> None:
    door.place.user("boss", Role.ADMIN)
    user = door.enter()
    disable_user(door.place.security, door.place.tenant.id, user.email)
    with pytest.raises(SignInRefusedError, match="disabled"):
        door.enter()


def test_the_same_subject_of_another_provider_or_tenant_is_somebody_else(door: Door) -> None:
    first = door.enter()
    with running() as second:
        second.now, second.person = door.provider.now, dict(KIM) | {"email": "other@plant.example"}
        door.open(issuer=second.issuer)  # the issuer changes: subjects mean others now
        user = Door(door.sign_in, second, door.place).enter()
    assert user.id != first.id
    assert list_users(door.place.security, door.place.other.id) == ()


@pytest.mark.parametrize("change", ["state", "cookie", "both empty", "twice", "late", "error", "no code"])
def test_who_comes_back_in_another_way_than_they_left_does_not_get_in(door: Door, change: str) -> None:
    _, arrival = door.begin()
    foreign, _ = door.begin()
    changed = {
        "state": replace(arrival, state=foreign.state),
        "cookie": replace(arrival, cookie_state=foreign.state),
        "both empty": replace(arrival, state=Secret(""), cookie_state=Secret("")),
        "error": replace(arrival, error="access_denied"),
        "no code": replace(arrival, code=None),
    }.get(change, arrival)
    if change == "twice":
        finish_sign_in(door.sign_in, arrival)
    if change == "late":
        door.place.clock.pass_(minutes=10)
    with pytest.raises(SignInRefusedError):
        finish_sign_in(door.sign_in, changed)


def _resigned(claims_of: str, **headers: object) -> str:
    claims = jwt.decode(claims_of, options={"verify_signature": False})
    return jwt.encode(claims, rsa.generate_private_key(public_exponent=65537, key_size=2048), "RS256", headers=headers)


def _as_secret(token: str, algorithm: str) -> str:
    claims = jwt.decode(token, options={"verify_signature": False})
    return jwt.encode(claims, CLIENT_SECRET * 4 if algorithm != "none" else None, algorithm, headers={"kid": "one"})  # type: ignore[arg-type]


UNTRUSTED = {
    "another issuer": {"change_claims": lambda c: c | {"iss": "https://evil.example"}},
    "another audience": {"change_claims": lambda c: c | {"aud": "somebody"}},
    "several audiences and not for us": {"change_claims": lambda c: c | {"aud": [CLIENT_ID, "x"], "azp": "x"}},
    "several audiences and no azp": {"change_claims": lambda c: c | {"aud": [CLIENT_ID, "x"]}},
    "another nonce": {"change_claims": lambda c: c | {"nonce": "x"}},
    "no nonce": {"change_claims": lambda c: {k: v for k, v in c.items() if k != "nonce"}},
    "expired": {"change_claims": lambda c: c | {"exp": c["iat"] - 61}},
    "of tomorrow": {"change_claims": lambda c: c | {"iat": c["iat"] + 86400, "exp": c["exp"] + 86400}},
    "no expiry": {"change_claims": lambda c: {k: v for k, v in c.items() if k != "exp"}},
    "expiry is text": {"change_claims": lambda c: c | {"exp": "soon"}},
    "no subject": {"change_claims": lambda c: {k: v for k, v in c.items() if k != "sub"}},
    "empty subject": {"change_claims": lambda c: c | {"sub": ""}},
    "subject with NUL": {"change_claims": lambda c: c | {"sub": "a\x00b"}},
    "signed by another": {"change_token": lambda t: _resigned(t, kid="one")},
    "signed by another without kid": {"change_token": lambda t: _resigned(t)},
    "unknown kid": {"change_token": lambda t: _resigned(t, kid="two")},
    "key for encryption": {"token_kid": "other"},
    "alg none": {"change_token": lambda t: _as_secret(t, "none")},
    "client secret as key": {"change_token": lambda t: _as_secret(t, "HS256")},
    "no token": {"change_token": lambda t: ""},
    "not a token": {"change_token": lambda t: "a.b.c"},
}


@pytest.mark.parametrize("change", list(UNTRUSTED))
@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
def test_an_id_token_that_is_not_for_this_login_is_not_believed(door: Door, change: str) -> None:
    for name, value in UNTRUSTED[change].items():
        setattr(door.provider, name, value)
    with pytest.raises(ProviderError):
        door.enter()
    assert list_users(door.place.security, door.place.tenant.id) == ()


BROKEN = {
    "discovery is away": {"answers": {"/.well-known/openid-configuration": (500, b"")}},
    "discovery redirects": {"answers": {"/.well-known/openid-configuration": (302, b"")}},
    "discovery is no JSON": {"answers": {"/.well-known/openid-configuration": (200, b"<html>")}},
    "discovery is a list": {"answers": {"/.well-known/openid-configuration": (200, b"[]")}},
    "discovery is deep": {"answers": {"/.well-known/openid-configuration": (200, b"[" * 100_000)}},
    "discovery is endless": {"answers": {"/.well-known/openid-configuration": (200, b" " * (2 << 20))}},
    "discovery lacks keys": {"answers": {"/.well-known/openid-configuration": (200, b'{"issuer": "x"}')}},
    "discovery of another": {"discovery": {"issuer": "https://evil.example"}},
    "token endpoint without TLS": {"discovery": {"token_endpoint": "http://10.0.0.1/token"}},
    "token endpoint is a file": {"discovery": {"token_endpoint": "file:///etc/passwd"}},
    "token refused": {"answers": {"/token": (400, b'{"error": "invalid_grant"}')}},
    "token is no object": {"answers": {"/token": (200, b"7")}},
    "token answer without id_token": {"answers": {"/token": (200, b"{}")}},
    "keys are away": {"answers": {"/keys": (404, b"")}},
    "keys are no list": {"answers": {"/keys": (200, b'{"keys": 7}')}},
    "keys are empty": {"answers": {"/keys": (200, b'{"keys": []}')}},
    "keys are broken": {"answers": {"/keys": (200, json.dumps({"keys": [{"kid": "one", "kty": "RSA"}]}).encode())}},
}


@pytest.mark.parametrize("change", list(BROKEN))
def test_a_provider_that_answers_wrongly_is_an_error_of_the_providers(door: Door, change: str) -> None:
    for name, value in BROKEN[change].items():
        setattr(door.provider, name, value)
    with pytest.raises(ProviderError) as caught:
        door.enter()
    assert caught.value.code == "ERR_AUTH_PROVIDER" or isinstance(caught.value, ProviderInvalidError)
    assert CLIENT_SECRET not in str(caught.value)


def test_a_wrong_secret_of_ours_lets_nobody_in(door: Door) -> None:
    door.open(client_secret=Secret("wrong"))
    with pytest.raises(ProviderError, match="invalid_client"):
        door.enter()


def test_the_secret_lies_in_the_tenants_folder_and_not_in_the_database(door: Door) -> None:
    path = door.place.settings.home / "tenants" / "default" / "oidc" / "idp.json"
    assert CLIENT_SECRET in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    with door.place.security.begin() as conn:
        rows = conn.execute("select row::text from core.identity_provider as row").fetchall()
    assert len(rows) == 1
    assert CLIENT_SECRET not in str(rows)


def test_elliptic_keys_are_believed_too_and_new_keys_as_soon_as_they_are_there(door: Door) -> None:
    door.enter()
    door.provider.key, door.provider.algorithm, door.provider.kid = (
        ec.generate_private_key(ec.SECP256R1()),
        "ES256",
        "2",
    )
    assert door.enter().email == "kim@plant.example"


def test_two_tabs_of_somebody_new_make_one_user(door: Door) -> None:
    arrivals = [door.begin()[1] for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        users = list(pool.map(lambda arrival: finish_sign_in(door.sign_in, arrival), arrivals))
    assert len({user.id for user in users}) == 1


def test_a_provider_that_is_unknown_disabled_or_another_tenants_is_not_there(door: Door) -> None:
    (known,) = list_providers(door.place.security, "default")
    assert (known.name, known.issuer) == ("idp", door.provider.issuer)
    assert list_providers(door.place.security, "other") == ()
    for slug, name in (("other", "idp"), ("default", "x"), ("\x00", "idp")):
        with pytest.raises(ProviderNotFoundError):
            begin_sign_in(door.sign_in, slug, name, BACK)
    with pytest.raises(ProviderNotFoundError):
        disable_provider(door.sign_in, door.place.other.id, "idp")
    _, arrival = door.begin()
    disable_provider(door.sign_in, door.place.tenant.id, "idp")
    with pytest.raises(SignInRefusedError):
        finish_sign_in(door.sign_in, arrival)
    with pytest.raises(ProviderNotFoundError):
        door.begin()
    assert list_providers(door.place.security, "default") == ()


@pytest.mark.parametrize(
    "issuer",
    ["http://login.example", "https://", "ftp://x", "https://a@login.example", "https://x/?a=1", "", "http://[::1"],
)
def test_an_issuer_that_cannot_be_trusted_is_refused(door: Door, issuer: str) -> None:
    with pytest.raises(ProviderInvalidError):
        door.open(issuer=issuer)


@pytest.mark.parametrize("name", ["../x", "", "A", "a/b", "a" * 64])
def test_a_name_that_leads_out_of_the_folder_is_refused(door: Door, name: str) -> None:
    with pytest.raises(ProviderInvalidError):
        door.open(name=name)
