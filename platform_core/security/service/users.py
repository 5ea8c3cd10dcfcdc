"""Users: made, listed, disabled, given roles and lines; and why one may do something."""

import re
from collections.abc import Iterable
from uuid import UUID

import psycopg

from platform_core.security.accounts import Account, find_account, get_account, one_account
from platform_core.security.context import Security
from platform_core.security.contracts import Decision, NewUser, Secret, User, UserStatus
from platform_core.security.engine import check_password, decide_for_account
from platform_core.security.errors import LastAdminError, UserError, UserExistsError
from platform_core.security.permissions import Permission, Role
from platform_core.security.store import sessions as sessions_sql
from platform_core.security.store import users as sql

_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f<>,;]{1,64}@[^@\s\x00-\x1f\x7f<>,;]{1,189}")
_USERNAME = re.compile(r"[^\s@\x00-\x1f\x7f]{1,64}")
_LINE = re.compile(r"\S(.{0,62}\S)?")


def create_user(security: Security, tenant_id: UUID, new: NewUser, password: Secret) -> User:
    """An active user with a password. Raises UserExistsError, UserError and PasswordWeakError."""
    email, username = _names(new)
    check_password(password.value, security.policy.password_length, _own_names(email, username, new.display_name))
    password_hash = security.passwords.hash(password.value)
    with security.begin() as conn:
        return insert_user(conn, security, tenant_id, new, "active", password_hash).as_user()


def insert_user(
    conn: psycopg.Connection,
    security: Security,
    tenant_id: UUID,
    new: NewUser,
    status: UserStatus,
    password_hash: str | None,
) -> Account:
    """The new row, for the use cases by which somebody becomes a user."""
    email, username = _names(new)
    _check_lines(new.line_access)
    values = {
        "tenant_id": tenant_id,
        "email": email,
        "username": username,
        "display_name": (new.display_name or username).strip()[:200],
        "password_hash": password_hash,
        "roles": sorted(new.roles),
        "permissions": sorted(new.permissions),
        "line_access": None if new.line_access is None else sorted(set(new.line_access)),
        "locale": new.locale,
        "status": status,
        "now": security.clock(),
    }
    row = conn.execute(sql.INSERT, values).fetchone()
    if row is None:
        raise UserExistsError(f"There is a user with the e-mail {email} or the username {username} already.")
    made = get_account(conn, tenant_id, row[0])
    assert made is not None  # of this transaction
    return made


def list_users(security: Security, tenant_id: UUID) -> tuple[User, ...]:
    """All users of a tenant, by e-mail."""
    with security.begin() as conn:
        rows = conn.execute(sql.LIST, {"tenant_id": tenant_id})
        names = [column.name for column in rows.description or ()]
        return tuple(Account(**dict(zip(names, row, strict=True))).as_user() for row in rows)


def find_user(security: Security, tenant_id: UUID, name: str) -> User:
    """By e-mail, username or id; raises UserNotFoundError, for another tenant's user too."""
    with security.begin() as conn:
        return find_account(conn, tenant_id, name).as_user()


def disable_user(security: Security, tenant_id: UUID, name: str) -> User:
    """End all that the user has, at once; raises LastAdminError for the last administrator."""
    return _set_status(security, tenant_id, name, "inactive")


def lock_user(security: Security, tenant_id: UUID, name: str) -> User:
    """Keep the user out until `unlock_user`; raises LastAdminError for the last administrator."""
    return _set_status(security, tenant_id, name, "locked")


def unlock_user(security: Security, tenant_id: UUID, name: str) -> User:
    """Forget failed logins and let a locked or disabled user in again; one who is invited stays invited."""
    with security.begin() as conn:
        found = find_account(conn, tenant_id, name)
    return _set_status(security, tenant_id, name, "invited" if found.status == "invited" else "active")


def set_roles(security: Security, tenant_id: UUID, name: str, roles: Iterable[Role]) -> User:
    """Exactly these roles; access tokens with the former ones are over. Raises LastAdminError."""
    wanted = frozenset(roles)
    with security.begin() as conn:
        found = _locked(conn, tenant_id, name)
        if Role.ADMIN not in wanted:
            _keep_an_admin(conn, found)
        changed = _set_rights(conn, security, found, roles=sorted(wanted))
    security.changes.tell()
    return changed


def set_lines(security: Security, tenant_id: UUID, name: str, lines: Iterable[str] | None) -> User:
    """Limit a user to these lines; None lifts the limit, and no line at all shows nothing."""
    wanted = None if lines is None else sorted(set(lines))
    _check_lines(wanted)
    with security.begin() as conn:
        changed = _set_rights(conn, security, _locked(conn, tenant_id, name), line_access=wanted)
    security.changes.tell()
    return changed


def set_permissions(security: Security, tenant_id: UUID, name: str, permissions: Iterable[Permission]) -> User:
    """Exactly these permissions beside those of the roles."""
    with security.begin() as conn:
        changed = _set_rights(conn, security, _locked(conn, tenant_id, name), permissions=sorted(set(permissions)))
    security.changes.tell()
    return changed


def explain(security: Security, tenant_id: UUID, name: str, permission: Permission) -> Decision:
    """Whether a user may do something, and because of what; says so too when the account cannot log in."""
    with security.begin() as conn:
        found = find_account(conn, tenant_id, name)
    return decide_for_account(
        found.grants,
        permission,
        status=found.status,
        locked=found.waits(security.clock()),
        tenant_active=found.tenant_active,
    )


def _set_status(security: Security, tenant_id: UUID, name: str, status: UserStatus) -> User:
    now = security.clock()
    with security.begin() as conn:
        found = _locked(conn, tenant_id, name)
        key = {"tenant_id": tenant_id, "id": found.id, "now": now}
        if status in ("inactive", "locked"):
            _keep_an_admin(conn, found)
            conn.execute(sessions_sql.REVOKE_OF_USER, key)
        conn.execute(sql.SET_STATUS, key | {"status": status})
        changed = _again(conn, found)
    security.changes.tell()
    return changed


def _set_rights(conn: psycopg.Connection, security: Security, found: Account, **rights: object) -> User:
    values: dict[str, object] = {
        "tenant_id": found.tenant_id,
        "id": found.id,
        "roles": found.roles,
        "permissions": found.permissions,
        "line_access": found.line_access,
        "now": security.clock(),
    }
    conn.execute(sql.SET_RIGHTS, values | rights)
    return _again(conn, found)


def _locked(conn: psycopg.Connection, tenant_id: UUID, name: str) -> Account:
    """The account, its row locked, after the tenant's: changes of rights in one tenant happen one after another."""
    conn.execute(sql.LOCK_TENANT, {"tenant_id": tenant_id})
    found = find_account(conn, tenant_id, name)
    return one_account(conn, sql.GET_LOCKED, {"tenant_id": tenant_id, "id": found.id}) or found


def _again(conn: psycopg.Connection, found: Account) -> User:
    return (get_account(conn, found.tenant_id, found.id) or found).as_user()


def _keep_an_admin(conn: psycopg.Connection, found: Account) -> None:
    if found.status != "active" or Role.ADMIN not in found.grants.roles:
        return
    row = conn.execute(sql.OTHER_ADMINS, {"tenant_id": found.tenant_id, "id": found.id}).fetchone()
    if not row or row[0] == 0:
        raise LastAdminError(
            f"{found.email} is the last active administrator of {found.tenant_slug}.",
            hint="Make another one first: takt user set-role USER admin.",
        )


def _names(new: NewUser) -> tuple[str, str]:
    """E-mail and username in the form that is stored; raises UserError."""
    email = new.email.strip().lower()
    if not _EMAIL.fullmatch(email):
        raise UserError(f"{new.email[:100]!r} is not an e-mail address.")
    username = (new.username or email).strip().lower()
    if username != email and not _USERNAME.fullmatch(username):
        # With an @ it could be another's e-mail, and a login name must mean one person.
        raise UserError(f"{username[:100]!r} cannot be a username.", hint="Up to 64 characters, no spaces and no @.")
    return email, username


def _own_names(email: str, username: str, display_name: str | None) -> tuple[str, ...]:
    return email, email.split("@", 1)[0], username, display_name or ""


def _check_lines(lines: Iterable[str] | None) -> None:
    for line in lines or ():
        if not _LINE.fullmatch(line):
            raise UserError(f"{line[:100]!r} cannot be a line's code.")
