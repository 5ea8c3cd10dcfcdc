"""Logging in: who may, who may not, and what a stranger learns of it."""

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from platform_core.security.authentication import Authenticator
from platform_core.security.contracts import Secret
from platform_core.security.errors import LoginFailedError, PasswordWeakError, UnauthorizedError
from platform_core.security.passwords import Passwords
from platform_core.security.permissions import Permission, Role
from platform_core.security.service.login import Credentials, change_password, login, verify_login
from platform_core.security.service.users import disable_user, find_user, lock_user, unlock_user
from platform_core.warehouse.connection import transaction
from tests.security.conftest import PASSWORD, Place

WRONG = Secret("something else entirely")


def test_a_login_gives_tokens_that_say_who_it_is(place: Place) -> None:
    user = place.user("kim", Role.ANALYST, line_access=("L02", "L01"), display_name="김철수")
    tokens = place.login()
    who = Authenticator(place.security).authenticate_bearer(tokens.access_token)
    assert (who.user_id, who.tenant_id, who.tenant_slug, who.kind) == (user.id, place.tenant.id, "default", "user")
    assert (who.name, who.roles, who.lines, who.locale) == ("김철수", {Role.ANALYST}, ("L01", "L02"), "ko")
    assert Permission.BI_WRITE in who.permissions
    assert Permission.USER_WRITE not in who.permissions
    assert tokens.expires_in == 900
    assert find_user(place.security, place.tenant.id, "kim").last_login_at == place.clock.now


@pytest.mark.parametrize("name", ["kim", "KIM", " kim@default.example ", "Kim@Default.Example"])
def test_name_and_e_mail_both_lead_to_the_user(place: Place, name: str) -> None:
    user = place.user("kim")
    assert verify_login(place.security, Credentials("default", name, PASSWORD)).id == user.id


@pytest.mark.parametrize(
    ("slug", "name", "password"),
    [
        ("default", "kim", WRONG),
        ("default", "nobody", PASSWORD),
        ("other", "kim", PASSWORD),
        ("nowhere", "kim", PASSWORD),
        ("default", "", PASSWORD),
        ("default", "kim\x00", PASSWORD),
        ("default", "\ud800", PASSWORD),
        ("default", "kim", Secret("\ud800")),
        ("default", "%", PASSWORD),
        ("default", "kim", Secret("")),
    ],
)
def test_every_failure_is_answered_alike(place: Place, slug: str, name: str, password: Secret) -> None:
    place.user("kim")
    with pytest.raises(LoginFailedError) as caught:
        login(place.security, Credentials(slug, name, password))
    assert caught.value.message == "The name or the password is wrong."
    assert (caught.value.code, caught.value.http_status) == ("ERR_AUTH_LOGIN_FAILED", 401)


def test_an_unknown_user_costs_as_much_work_as_a_wrong_password(place: Place) -> None:
    slow = replace(place.security, passwords=Passwords(memory_kib=65536, passes=3))
    place.user("kim")
    with transaction(place.warehouse) as conn:  # so that the stored hash is of the same cost
        conn.execute("update core.users set password_hash = %s", (slow.passwords.hash(PASSWORD.value),))

    def spent(name: str) -> float:
        began = time.perf_counter()
        with pytest.raises(LoginFailedError):
            verify_login(slow, Credentials("default", name, WRONG))
        return time.perf_counter() - began

    known = statistics.median(spent("kim") for _ in range(4))
    unknown = statistics.median(spent("nobody") for _ in range(4))
    assert 0.5 < unknown / known < 2, (unknown, known)


def test_an_account_waits_after_five_failures_and_each_time_twice_as_long(place: Place) -> None:
    place.user("kim")
    for _ in range(5):
        with pytest.raises(LoginFailedError):
            place.login(password=WRONG)
    with pytest.raises(LoginFailedError):
        place.login()  # the right password is refused too
    place.clock.pass_(seconds=59)
    with pytest.raises(LoginFailedError):
        place.login()
    place.clock.pass_(seconds=2)
    with pytest.raises(LoginFailedError):
        place.login(password=WRONG)
    place.clock.pass_(seconds=61)
    with pytest.raises(LoginFailedError):
        place.login()
    place.clock.pass_(seconds=60)
    assert place.login()
    assert find_user(place.security, place.tenant.id, "kim").failed_logins == 0


def test_tries_while_an_account_waits_do_not_make_it_wait_longer(place: Place) -> None:
    place.user("kim")
    for _ in range(30):
        with pytest.raises(LoginFailedError):
            place.login(password=WRONG)
    place.clock.pass_(seconds=61)
    assert place.login()


def test_guesses_at_the_same_moment_are_counted_too(place: Place) -> None:
    place.user("kim")
    tried: list[str] = []

    class Counting(Passwords):
        def check(self, password: str, stored: str | None):
            if stored is not None:
                tried.append(password)
            return super().check(password, stored)

    security = replace(place.security, passwords=Counting(memory_kib=8, passes=1))

    def guess(number: int) -> None:
        with pytest.raises(LoginFailedError):
            verify_login(security, Credentials("default", "kim", Secret(f"guess {number}")))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(guess, range(24)))
    assert len(tried) == 5


def test_an_administrator_unlocks_an_account_that_waits(place: Place) -> None:
    place.user("kim")
    for _ in range(5):
        with pytest.raises(LoginFailedError):
            place.login(password=WRONG)
    unlock_user(place.security, place.tenant.id, "kim")
    assert place.login()


@pytest.mark.parametrize("keep_out", [disable_user, lock_user])
def test_a_disabled_or_locked_user_is_out_at_once_and_comes_back_with_new_tokens_only(place: Place, keep_out) -> None:
    place.user("boss", Role.ADMIN)
    place.user("kim")
    tokens = place.login()
    authenticator = Authenticator(place.security)
    authenticator.authenticate_bearer(tokens.access_token)
    keep_out(place.security, place.tenant.id, "kim")
    with pytest.raises(UnauthorizedError):
        authenticator.authenticate_bearer(tokens.access_token)
    with pytest.raises(LoginFailedError):
        place.login()
    unlock_user(place.security, place.tenant.id, "kim")
    with pytest.raises(UnauthorizedError):
        authenticator.authenticate_bearer(tokens.access_token)
    assert authenticator.authenticate_bearer(place.login().access_token).name == "kim"


def test_a_user_of_a_suspended_tenant_is_out(place: Place) -> None:
    place.user("kim")
    tokens = place.login()
    with transaction(place.warehouse) as conn:
        conn.execute("update core.tenants set status = 'suspended' where slug = 'default'")
    with pytest.raises(UnauthorizedError):
        Authenticator(place.security).authenticate_bearer(tokens.access_token)
    with pytest.raises(LoginFailedError):
        place.login()


def test_a_changed_password_ends_every_login(place: Place) -> None:
    place.user("kim")
    tokens = place.login()
    authenticator = Authenticator(place.security)
    who = authenticator.authenticate_bearer(tokens.access_token)
    new = Secret("another long sentence")
    with pytest.raises(LoginFailedError):
        change_password(place.security, who, WRONG, new)
    with pytest.raises(PasswordWeakError):
        change_password(place.security, who, PASSWORD, Secret("short"))
    change_password(place.security, who, PASSWORD, new)
    with pytest.raises(UnauthorizedError):
        authenticator.authenticate_bearer(tokens.access_token)
    with pytest.raises(LoginFailedError):
        place.login()
    assert place.login(password=new)


def test_a_stored_hash_of_weaker_settings_is_replaced_at_the_next_login(place: Place) -> None:
    place.user("kim")
    stronger = replace(place.security, passwords=Passwords(memory_kib=16, passes=2))
    verify_login(stronger, Credentials("default", "kim", PASSWORD))
    with transaction(place.warehouse) as conn:
        (stored,) = conn.execute("select password_hash from core.users").fetchone() or ("",)
    assert stored.startswith("$argon2id$v=19$m=16,t=2,p=1$")
    assert place.login()


def test_passwords_are_stored_as_argon2id_of_the_recommended_cost() -> None:
    assert Passwords().hash("x").startswith("$argon2id$v=19$m=19456,t=2,p=1$")
