"""Invitations and password resets: links that are mailed, work once and not for long."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from platform_core.security.accounts import Account, find_account, get_account, one_account
from platform_core.security.context import Security, digest, new_secret
from platform_core.security.contracts import NewUser, Secret, User
from platform_core.security.engine import storable
from platform_core.security.errors import LinkInvalidError, UserError
from platform_core.security.mail import Mailer, invitation_mail, reset_mail
from platform_core.security.service.login import hash_password, store_password
from platform_core.security.service.users import insert_user
from platform_core.security.store import sessions as sql
from platform_core.security.store import users as users_sql

Purpose = Literal["invitation", "password_reset"]

PATHS: dict[Purpose, str] = {"invitation": "/invitation", "password_reset": "/password-reset"}
"""Where the pages for them are, below TAKT_PUBLIC_URL."""


@dataclass(frozen=True)
class Invitation:
    """Somebody who may become a user by this link."""

    user: User
    link: Secret


@dataclass(frozen=True)
class _Link:
    tenant_id: UUID
    user_id: UUID
    expires_at: datetime
    used_at: datetime | None


def invite(security: Security, tenant_id: UUID, new: NewUser, mailer: Mailer | None = None) -> Invitation:
    """A user who has no password yet and a link to choose one, mailed where there is a mailer.

    Raises UserExistsError and UserError; MailError when the mail does not go, and then nobody has been invited.
    """
    with security.begin() as conn:
        account = insert_user(conn, security, tenant_id, new, "invited", None)
        return _invited(conn, security, account, mailer)


def invite_again(security: Security, tenant_id: UUID, name: str, mailer: Mailer | None = None) -> Invitation:
    """Another link for somebody who has not accepted; the former one is over."""
    with security.begin() as conn:
        account = find_account(conn, tenant_id, name)
        if account.status != "invited":
            raise UserError(f"{account.email} has accepted the invitation already.")
        return _invited(conn, security, account, mailer)


def accept_invitation(security: Security, token: Secret, password: Secret) -> User:
    """Choose the password; the user is active then. Raises LinkInvalidError and PasswordWeakError."""
    return _choose_password(security, "invitation", token, password)


def request_password_reset(security: Security, tenant: str, name: str, mailer: Mailer) -> None:
    """Mail a link to whoever it is; nothing for nobody, and no word about it.

    The caller answers before this runs (a background task): how long it takes would tell whether there is such a user.
    """
    wanted = {"slug": tenant, "name": name.strip().lower()}
    if not all(map(storable, wanted.values())):
        return
    with security.begin() as conn:
        account = one_account(conn, users_sql.FIND_FOR_LOGIN, wanted)
        if account is None or not account.usable:
            return
        link = _make(conn, security, account, "password_reset", security.policy.reset)
    minutes = int(security.policy.reset.total_seconds() // 60)
    mailer.send(reset_mail(account.email, account.display_name, link.value, minutes, account.locale))


def reset_password(security: Security, token: Secret, password: Secret) -> User:
    """Choose another password; every login of the user ends. Raises LinkInvalidError and PasswordWeakError."""
    return _choose_password(security, "password_reset", token, password)


def who_holds(security: Security, purpose: Purpose, token: Secret) -> User:
    """Whose link it is, for the page that asks for the password; raises LinkInvalidError. Uses nothing up."""
    with security.begin() as conn:
        return _holder(conn, security, purpose, token).as_user()


def _invited(conn: psycopg.Connection, security: Security, account: Account, mailer: Mailer | None) -> Invitation:
    link = _make(conn, security, account, "invitation", security.policy.invitation)
    if mailer is not None:
        hours = int(security.policy.invitation.total_seconds() // 3600)
        names = account.display_name, account.tenant_slug
        mailer.send(invitation_mail(account.email, *names, link.value, hours, account.locale))
    return Invitation(account.as_user(), link)


def _make(
    conn: psycopg.Connection, security: Security, account: Account, purpose: Purpose, good_for: timedelta
) -> Secret:
    """A new link; the former ones of the user are over."""
    token, now = new_secret(), security.clock()
    key = {"tenant_id": account.tenant_id, "id": account.id, "now": now}
    conn.execute(sql.USE_LINKS, key)
    values = {
        "token_hash": digest(token),
        "tenant_id": account.tenant_id,
        "user_id": account.id,
        "purpose": purpose,
        "now": now,
        "expires_at": now + good_for,
    }
    conn.execute(sql.INSERT_LINK, values)
    # After the #, so that it is in no log of a server and in no Referer.
    return Secret(f"{security.policy.public_url}{PATHS[purpose]}#token={token}")


def _choose_password(security: Security, purpose: Purpose, token: Secret, password: Secret) -> User:
    with security.begin() as conn:
        account = _holder(conn, security, purpose, token)
    password_hash = hash_password(security, account, password)  # raises for a weak one, and the link is still good
    with security.begin() as conn:
        account = _holder(conn, security, purpose, token)  # again, locked: of two at once one is too late
        store_password(conn, account, password_hash, security.clock())
        changed = (get_account(conn, account.tenant_id, account.id) or account).as_user()
    security.changes.tell()
    return changed


def _holder(conn: psycopg.Connection, security: Security, purpose: Purpose, token: Secret) -> Account:
    values = {"token_hash": digest(token.value), "purpose": purpose}
    link = conn.cursor(row_factory=class_row(_Link)).execute(sql.FIND_LINK, values).fetchone()
    if link is None or link.used_at is not None or link.expires_at <= security.clock():
        raise _over()
    account = get_account(conn, link.tenant_id, link.user_id)
    wanted = "invited" if purpose == "invitation" else "active"
    if account is None or account.status != wanted or not account.tenant_active:
        raise _over()
    return account


def _over() -> LinkInvalidError:
    return LinkInvalidError("The link is unknown, used or too old.", hint="Ask for another one.")
