"""Rows of users as the use cases work with them: with the hash and the epoch, which nobody else sees."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from platform_core.security.contracts import Grants, Locale, OAuthClient, Principal, User, UserStatus
from platform_core.security.engine import effective, known_permissions, narrower_lines, storable
from platform_core.security.errors import UserNotFoundError
from platform_core.security.permissions import Permission, Role
from platform_core.security.store import users as sql


@dataclass(frozen=True)
class Account:
    """A row of core.users and what matters of its tenant."""

    id: UUID
    tenant_id: UUID
    email: str
    username: str
    display_name: str
    roles: list[str]
    permissions: list[str]
    line_access: list[str] | None
    locale: Locale
    status: UserStatus
    failed_logins: int
    locked_until: datetime | None
    last_login_at: datetime | None
    created_at: datetime
    password_hash: str | None
    token_epoch: int
    tenant_slug: str
    tenant_active: bool

    @property
    def grants(self) -> Grants:
        """What its roles and extras are."""
        return Grants(frozenset(Role(role) for role in self.roles), known_permissions(self.permissions))

    @property
    def usable(self) -> bool:
        """Whether it may have tokens at all."""
        return self.status == "active" and self.tenant_active

    def waits(self, now: datetime) -> bool:
        """Whether failed logins keep it out for now."""
        return self.locked_until is not None and self.locked_until > now

    def as_user(self) -> User:
        """Without anything secret."""
        grants = self.grants
        return User(
            id=self.id,
            tenant_id=self.tenant_id,
            email=self.email,
            username=self.username,
            display_name=self.display_name,
            roles=tuple(role for role in Role if role in grants.roles),
            permissions=tuple(sorted(grants.extra)),
            line_access=None if self.line_access is None else tuple(self.line_access),
            locale=self.locale,
            status=self.status,
            failed_logins=self.failed_logins,
            locked_until=self.locked_until,
            last_login_at=self.last_login_at,
            created_at=self.created_at,
            has_password=self.password_hash is not None,
        )

    def as_principal(self, scope: frozenset[Permission] | None, client: OAuthClient | None = None) -> Principal:
        """Who a token of this account is, limited to the scope and to what its client may see."""
        grants = self.grants
        return Principal(
            tenant_id=self.tenant_id,
            tenant_slug=self.tenant_slug,
            user_id=self.id,
            name=self.display_name,
            kind="user",
            roles=grants.roles,
            permissions=effective(grants, scope),
            lines=narrower_lines(self.line_access, client.line_access if client else None),
            locale=self.locale,
            scope=scope,
            extra=grants.extra,
        )


def find_account(conn: psycopg.Connection, tenant_id: UUID, name: str) -> Account:
    """By e-mail, username or id; raises UserNotFoundError, for another tenant's user too."""
    wanted = {"tenant_id": tenant_id, "name": name.strip().lower()}
    found = one_account(conn, sql.FIND, wanted) if storable(name) else None
    if found is None:
        raise UserNotFoundError(f"There is no user {name[:100]!r}.", hint="`takt user list` shows who there is.")
    return found


def get_account(conn: psycopg.Connection, tenant_id: UUID, user_id: UUID) -> Account | None:
    """By id, within one tenant."""
    return one_account(conn, sql.GET, {"tenant_id": tenant_id, "id": user_id})


def one_account(conn: psycopg.Connection, query: LiteralString, values: Mapping[str, object]) -> Account | None:
    """The account that a query of store.users finds."""
    return conn.cursor(row_factory=class_row(Account)).execute(query, values).fetchone()
