"""Logging in with a password, and changing it."""

from dataclasses import dataclass
from datetime import datetime

import psycopg

from platform_core.security.accounts import Account, get_account, one_account
from platform_core.security.context import Security
from platform_core.security.contracts import Principal, Secret, Tokens, User
from platform_core.security.engine import check_password, locked_until, parse_scope, storable
from platform_core.security.errors import LoginFailedError
from platform_core.security.service.sessions import end_all, issue_tokens
from platform_core.security.store import sessions as sessions_sql
from platform_core.security.store import users as sql


@dataclass(frozen=True)
class Credentials:
    """What somebody types: the tenant's slug, e-mail or username, password."""

    tenant: str
    name: str
    password: Secret


def verify_login(security: Security, credentials: Credentials) -> User:
    """Who it is; raises LoginFailedError, which does not tell what was wrong. For a login page."""
    return _verified(security, credentials).as_user()


def login(security: Security, credentials: Credentials, scope: str | None = None) -> Tokens:
    """Verify, and begin a login with tokens of its own."""
    limit = parse_scope(scope)
    account = _verified(security, credentials)
    with security.begin() as conn:
        return issue_tokens(conn, security, account, limit)


def change_password(security: Security, who: Principal, old: Secret, new: Secret) -> None:
    """Another password for somebody who is logged in and knows the old one; every login of theirs ends."""
    with security.begin() as conn:
        account = get_account(conn, who.tenant_id, who.user_id)
    if account is None or who.kind != "user":
        raise _failed()
    _verified(security, Credentials(account.tenant_slug, account.email, old))
    password_hash = hash_password(security, account, new)
    with security.begin() as conn:
        store_password(conn, account, password_hash, security.clock())
    security.changes.tell()


def hash_password(security: Security, account: Account, new: Secret) -> str:
    """What to store of a new password; raises PasswordWeakError."""
    names = (account.email, account.email.split("@", 1)[0], account.username, account.display_name)
    check_password(new.value, security.policy.password_length, names)
    return security.passwords.hash(new.value)


def store_password(conn: psycopg.Connection, account: Account, password_hash: str, now: datetime) -> None:
    """Another password for somebody who has proved to be allowed to set it; logins and mailed links end."""
    key = {"tenant_id": account.tenant_id, "id": account.id, "now": now}
    end_all(conn, account.tenant_id, account.id, now)
    conn.execute(sessions_sql.USE_LINKS, key)
    conn.execute(sql.SET_PASSWORD, key | {"password_hash": password_hash})


def _verified(security: Security, credentials: Credentials) -> Account:
    """The account, its failed logins forgotten. Unknown, wrong, locked and disabled take the same work."""
    account = _count_attempt(security, credentials)
    checked = security.passwords.check(credentials.password.value, account.password_hash if account else None)
    if account is None or not checked.right:
        raise _failed()
    values = {
        "tenant_id": account.tenant_id,
        "id": account.id,
        "now": security.clock(),
        "new_hash": checked.new_hash,
        "checked_hash": account.password_hash,
    }
    with security.begin() as conn:
        if conn.execute(sql.LOGGED_IN, values).rowcount != 1:  # disabled or another password in the meantime
            raise _failed()
        return get_account(conn, account.tenant_id, account.id) or account


def _count_attempt(security: Security, credentials: Credentials) -> Account | None:
    """The account if it may try now. The attempt counts as failed until it succeeds, so that guesses at once count."""
    now, policy = security.clock(), security.policy
    names = {"slug": credentials.tenant, "name": credentials.name.strip().lower()}
    if not all(map(storable, names.values())):
        return None
    with security.begin() as conn:
        account = one_account(conn, sql.FIND_FOR_LOGIN, names)
        if account is None or not account.usable or account.waits(now):
            return None
        until = locked_until(
            account.failed_logins + 1, now, after=policy.lock_after, first=policy.lock_first, most=policy.lock_most
        )
        values = {"tenant_id": account.tenant_id, "id": account.id, "locked_until": until}
        conn.execute(sql.COUNT_ATTEMPT, values)
    return account


def _failed() -> LoginFailedError:
    return LoginFailedError(
        "The name or the password is wrong.",
        hint="After several failures an account waits for a while, and then the right password is refused too.",
    )
