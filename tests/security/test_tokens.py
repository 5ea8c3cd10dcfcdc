"""Access and refresh tokens against those who forge, keep, steal and replay them."""

import base64
import hmac
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from platform_core.security import access_tokens
from platform_core.security.authentication import Authenticator
from platform_core.security.context import Security
from platform_core.security.contracts import Principal, Secret, Tokens
from platform_core.security.errors import GrantInvalidError, ScopeInvalidError, TokenExpiredError, UnauthorizedError
from platform_core.security.permissions import Permission, Role
from platform_core.security.service.login import Credentials, login
from platform_core.security.service.sessions import logout_everywhere, refresh, revoke, sweep
from platform_core.security.service.users import set_lines, set_roles
from platform_core.warehouse.connection import transaction
from tests.security.conftest import PASSWORD, Place


def _claims(token: str) -> dict[str, object]:
    return jwt.decode(token, options={"verify_signature": False})


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unsigned(header: dict[str, object], claims: dict[str, object]) -> str:
    return f"{_b64(json.dumps(header).encode())}.{_b64(json.dumps(claims).encode())}"


def _pem(security: Security, kid: str) -> bytes:
    public = security.keys.public(kid)
    assert public is not None
    return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def _kept(tokens: Tokens) -> Secret:
    assert tokens.refresh_token is not None
    return Secret(tokens.refresh_token)


def _is_refused(authenticator: Authenticator, token: str) -> bool:
    try:
        authenticator.authenticate_bearer(token)
    except UnauthorizedError:
        return True
    return False


def test_forged_tokens_are_refused(place: Place) -> None:
    place.user("kim", Role.ADMIN)
    good = place.login().access_token
    header, claims = jwt.get_unverified_header(good), _claims(good)
    kid, parts = header["kid"], good.split(".")
    foreign = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def signed(changed: dict[str, object], key: object = foreign, algorithm: str = "RS256", **header_: object) -> str:
        headers = {"kid": kid, "typ": "at+jwt"} | header_
        return jwt.encode(claims | changed, key, algorithm=algorithm, headers=headers)  # type: ignore[arg-type]

    own = place.security.keys.signing(place.clock.now).private
    as_secret = _unsigned({"alg": "HS256", "typ": "at+jwt", "kid": kid}, claims)
    mac = hmac.new(_pem(place.security, kid), as_secret.encode(), sha256).digest()
    forged = {
        "alg none": _unsigned({"alg": "none", "typ": "at+jwt", "kid": kid}, claims) + ".",
        "alg None in capitals": _unsigned({"alg": "NONE", "typ": "at+jwt", "kid": kid}, claims) + ".",
        "public key as HS256 secret": f"{as_secret}.{_b64(mac)}",
        "another's key": signed({}),
        "another's key in the header": signed({}, jwk={"kty": "RSA"}),
        "PS256 by our key": signed({}, own, "PS256"),
        "unknown kid": signed({}, own, kid="ffff"),
        "kid is a path": signed({}, own, kid="../../etc/passwd"),
        "no typ of ours": signed({}, own, typ="JWT"),
        "wrong audience": signed({"aud": "another-api"}, own),
        "wrong issuer": signed({"iss": "somebody"}, own),
        "no epoch": signed({"epoch": None}, own),
        "unknown role": signed({"roles": ["root"]}, own),
        "tenant is no id": signed({"tenant_id": "default"}, own),
        "issued tomorrow": signed({"iat": claims["iat"] + 86400}, own),  # type: ignore[operator]
        "another payload": f"{parts[0]}.{_b64(json.dumps(claims | {'sub': str(uuid4())}).encode())}.{parts[2]}",
        "cut off": good[:-10],
        "nothing": "",
        "two dots": "..",
        "too long": good + "x" * 9000,
        "no ascii": "é.é.é",
        "half a character": "\ud800.a.b",
    }
    authenticator = Authenticator(place.security)
    assert [name for name, token in forged.items() if not _is_refused(authenticator, token)] == []
    assert authenticator.authenticate_bearer(signed({"jti": "x"}, own)).name == "kim"  # the way of signing is right


def test_a_signed_token_that_names_another_tenants_user_is_nobody(place: Place) -> None:
    place.user("kim", Role.ADMIN)
    foreign = place.user("lee", Role.ADMIN, tenant=place.other)
    who = Authenticator(place.security).authenticate_bearer(place.login().access_token)
    mixed = replace(who, user_id=foreign.id)
    token = access_tokens.issue(place.security.keys, place.security.policy, mixed, 1, place.clock.now)
    with pytest.raises(UnauthorizedError, match="revoked"):
        Authenticator(place.security).authenticate_bearer(token)


def test_an_access_token_is_good_for_fifteen_minutes(place: Place) -> None:
    place.user("kim")
    token = place.login().access_token
    authenticator = Authenticator(place.security)
    place.clock.pass_(minutes=14, seconds=59)
    authenticator.authenticate_bearer(token)
    place.clock.pass_(seconds=7)
    for checking in (authenticator, Authenticator(place.security)):  # with and without memory of it
        with pytest.raises(TokenExpiredError) as caught:
            checking.authenticate_bearer(token)
        assert caught.value.code == "ERR_TOKEN_EXPIRED"


def test_a_refreshed_login_goes_on_and_each_refresh_token_works_once(place: Place) -> None:
    place.user("kim")
    first = place.login()
    second = refresh(place.security, _kept(first))
    assert second.refresh_token != first.refresh_token
    assert Authenticator(place.security).authenticate_bearer(second.access_token).name == "kim"
    assert refresh(place.security, _kept(second))


def test_a_refresh_token_that_comes_twice_ends_the_whole_family_and_access_tokens_too(place: Place) -> None:
    place.user("kim")
    stolen = place.login()
    elsewhere = place.login()
    thief = refresh(place.security, _kept(stolen))
    authenticator = Authenticator(place.security)
    authenticator.authenticate_bearer(thief.access_token)
    with pytest.raises(GrantInvalidError, match="used before"):
        refresh(place.security, _kept(stolen))
    with pytest.raises(UnauthorizedError):
        authenticator.authenticate_bearer(thief.access_token)
    with pytest.raises(GrantInvalidError):
        refresh(place.security, _kept(thief))
    assert refresh(place.security, _kept(elsewhere))  # another login of the same user goes on


def test_of_two_refreshes_at_the_same_moment_one_at_most_succeeds(place: Place) -> None:
    place.user("kim")
    for _ in range(3):
        token = _kept(place.login())

        def attempt(_: int, token: Secret = token) -> bool:
            try:
                return bool(refresh(place.security, token))
            except GrantInvalidError:
                return False

        with ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(attempt, range(4))) == 1


def test_a_refresh_token_is_over_after_seven_days_and_a_login_after_thirty(place: Place) -> None:
    place.user("kim")
    idle, busy = place.login(), place.login()
    for _ in range(4):
        place.clock.pass_(days=6)
        busy = refresh(place.security, _kept(busy))
    with pytest.raises(GrantInvalidError):
        refresh(place.security, _kept(idle))
    place.clock.pass_(days=6, minutes=1)
    with pytest.raises(GrantInvalidError):
        refresh(place.security, _kept(busy))


@pytest.mark.parametrize("token", ["", "x", "\ud800", "a" * 100_000, "\x00"])
def test_a_refresh_token_that_nobody_issued_is_refused(place: Place, token: str) -> None:
    with pytest.raises(GrantInvalidError):
        refresh(place.security, Secret(token))


def test_tokens_are_not_stored_as_they_are(place: Place) -> None:
    place.user("kim")
    tokens = place.login()
    with transaction(place.warehouse) as conn:
        rows = conn.execute("select row::text from core.refresh_token as row").fetchall()
    assert len(rows) == 1
    assert str(tokens.refresh_token) not in str(rows)
    assert "battery" not in repr(PASSWORD)


@pytest.mark.parametrize("which", ["refresh_token", "access_token"])
def test_logging_out_ends_that_login(place: Place, which: str) -> None:
    place.user("kim")
    tokens = place.login()
    authenticator = Authenticator(place.security)
    authenticator.authenticate_bearer(tokens.access_token)
    revoke(place.security, Secret(getattr(tokens, which)))
    with pytest.raises(UnauthorizedError):
        authenticator.authenticate_bearer(tokens.access_token)
    if which == "refresh_token":
        with pytest.raises(GrantInvalidError):
            refresh(place.security, _kept(tokens))
    revoke(place.security, Secret("unknown"))  # no error, as RFC 7009 wants


def test_logging_out_everywhere_works_at_once_here_and_within_two_seconds_elsewhere(place: Place) -> None:
    user = place.user("kim")
    one, two = place.login(), place.login()
    here, elsewhere = Authenticator(place.security), Authenticator(place.elsewhere())
    here.authenticate_bearer(one.access_token)
    elsewhere.authenticate_bearer(one.access_token)
    logout_everywhere(place.security, place.tenant.id, user.id)
    with pytest.raises(UnauthorizedError):
        here.authenticate_bearer(one.access_token)
    place.clock.pass_(seconds=2.1)
    with pytest.raises(UnauthorizedError):
        elsewhere.authenticate_bearer(one.access_token)
    for tokens in (one, two):
        with pytest.raises(GrantInvalidError):
            refresh(place.security, _kept(tokens))
    assert here.authenticate_bearer(place.login().access_token)


def test_another_tenant_cannot_log_a_user_out(place: Place) -> None:
    user = place.user("kim")
    tokens = place.login()
    logout_everywhere(place.security, place.other.id, user.id)
    assert Authenticator(place.security).authenticate_bearer(tokens.access_token)
    assert refresh(place.security, _kept(tokens))


def test_other_rights_count_at_once_and_the_login_goes_on_with_them(place: Place) -> None:
    place.user("boss", Role.ADMIN)
    place.user("kim", Role.MANAGER)
    tokens = place.login()
    authenticator = Authenticator(place.security)
    authenticator.authenticate_bearer(tokens.access_token)
    set_roles(place.security, place.tenant.id, "kim", [Role.VIEWER])
    with pytest.raises(UnauthorizedError):
        authenticator.authenticate_bearer(tokens.access_token)
    renewed = refresh(place.security, _kept(tokens))
    who = authenticator.authenticate_bearer(renewed.access_token)
    assert who.roles == {Role.VIEWER}
    set_lines(place.security, place.tenant.id, "kim", ["L01"])
    renewed = refresh(place.security, _kept(renewed))
    assert authenticator.authenticate_bearer(renewed.access_token).lines == ("L01",)
    set_lines(place.security, place.tenant.id, "kim", [])
    renewed = refresh(place.security, _kept(renewed))
    assert authenticator.authenticate_bearer(renewed.access_token).lines == ()


def test_a_login_for_a_scope_has_no_more_and_cannot_get_more_by_refreshing(place: Place) -> None:
    place.user("kim", Role.ADMIN)
    tokens = login(place.security, Credentials("default", "kim", PASSWORD), "bi:read user:read")
    who = Authenticator(place.security).authenticate_bearer(tokens.access_token)
    assert who.permissions == {Permission.BI_READ, Permission.USER_READ}
    with pytest.raises(ScopeInvalidError):
        refresh(place.security, _kept(tokens), scope="bi:read user:write")
    narrower = refresh(place.security, _kept(tokens), scope="bi:read")
    assert narrower.scope == ("bi:read",)
    with pytest.raises(ScopeInvalidError):
        refresh(place.security, _kept(narrower), scope="user:read")
    with pytest.raises(ScopeInvalidError):
        login(place.security, Credentials("default", "kim", PASSWORD), "everything")


def test_a_known_token_costs_no_query_until_it_must_be_looked_up_again(place: Place) -> None:
    place.user("kim")
    token = place.login().access_token
    queries = 0

    def counting():
        nonlocal queries
        queries += 1
        return place.security.begin()

    authenticator = Authenticator(replace(place.security, begin=counting))
    assert authenticator.without_database(token) is None
    authenticator.authenticate_bearer(token)
    for _ in range(50):
        assert authenticator.without_database(token) is not None
        authenticator.authenticate_bearer(token)
    assert queries == 1
    place.clock.pass_(seconds=2.1)
    assert authenticator.without_database(token) is None
    authenticator.authenticate_bearer(token)
    assert queries == 2


def test_keys_rotate_while_tokens_of_the_former_key_stay_good_here_and_elsewhere(place: Place) -> None:
    place.user("kim")
    keys, now = place.security.keys, place.clock.now
    old = place.login().access_token
    elsewhere = Authenticator(place.elsewhere())
    elsewhere.authenticate_bearer(old)
    keys.rotate(now, timedelta(minutes=16))
    new = place.login().access_token
    kids = [jwt.get_unverified_header(token)["kid"] for token in (new, old)]
    assert [key["kid"] for key in keys.key_set(now)["keys"]] == kids
    assert all(set(key) == {"kty", "use", "alg", "kid", "n", "e"} for key in keys.key_set(now)["keys"])
    for token in (old, new):
        Authenticator(place.security).authenticate_bearer(token)
        elsewhere.authenticate_bearer(token)
    place.clock.pass_(minutes=17)
    keys.rotate(place.clock.now, timedelta(minutes=16))
    assert kids[1] not in [key["kid"] for key in keys.key_set(place.clock.now)["keys"]]
    assert kids[0] in [key["kid"] for key in keys.key_set(place.clock.now)["keys"]]
    path = place.settings.home / "signing_keys.json"
    assert path.stat().st_mode & 0o777 == 0o600


def test_processes_that_start_at_once_make_one_key(place: Place) -> None:
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: place.elsewhere().keys.signing(place.clock.now).kid, range(4)))
    assert len(set(made)) == 1


def test_the_key_set_checks_a_token_in_any_other_program(place: Place) -> None:
    place.user("kim")
    token = place.login().access_token
    (key,) = place.security.keys.key_set(place.clock.now)["keys"]
    options = {"verify_exp": False, "verify_iat": False}
    claims = jwt.decode(token, jwt.PyJWK(key), ["RS256"], audience="takt-api", issuer="takt", options=options)  # type: ignore[arg-type]
    assert claims["tenant"] == "default"


def test_what_is_over_is_swept_away_and_nothing_else(place: Place) -> None:
    place.user("kim")
    place.login()
    place.clock.pass_(days=40)
    fresh = place.login()
    assert sweep(place.security) == 1
    assert refresh(place.security, _kept(fresh))


def test_a_principal_says_nothing_secret_of_itself(place: Place) -> None:
    place.user("kim")
    who: Principal = Authenticator(place.security).authenticate_bearer(place.login().access_token)
    assert "$argon2" not in repr(who)
