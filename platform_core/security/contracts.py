"""What others see of security: who asks, what was decided and why, tokens, users, keys and clients."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal
from uuid import UUID

from platform_core.security.permissions import Permission, Role

UserStatus = Literal["active", "inactive", "locked", "invited"]
Locale = Literal["ko", "en"]
PrincipalKind = Literal["user", "api_key", "client"]


@dataclass(frozen=True)
class Grants:
    """What somebody may do before a token cuts it: by roles, and what was added to them."""

    roles: frozenset[Role] = frozenset()
    extra: frozenset[Permission] = frozenset()


@dataclass(frozen=True)
class Principal:
    """Who asks. `permissions` are effective: of roles and extras, cut by the scope. `lines`: None is all, () none.

    `user_id` is the person; of a service account's key and of a client it is the key's or client's own id.
    """

    tenant_id: UUID
    tenant_slug: str
    user_id: UUID
    name: str
    kind: PrincipalKind
    roles: frozenset[Role]
    permissions: frozenset[Permission]
    lines: tuple[str, ...] | None
    locale: Locale
    scope: frozenset[Permission] | None = None
    """What the token was limited to; None: not limited."""
    extra: frozenset[Permission] = frozenset()
    """Permissions of its own, beside those of its roles."""


class Reason(StrEnum):
    """Why a decision is as it is."""

    BY_ROLE = "by_role"
    BY_OWN_PERMISSION = "by_own_permission"
    NOT_GRANTED = "not_granted"
    OUTSIDE_SCOPE = "outside_scope"
    USER_INACTIVE = "user_inactive"
    USER_LOCKED = "user_locked"
    USER_INVITED = "user_invited"
    TENANT_NOT_ACTIVE = "tenant_not_active"


@dataclass(frozen=True)
class Decision:
    """Whether something is allowed, and because of what."""

    allowed: bool
    permission: Permission
    reason: Reason
    role: Role | None = None
    """The role that the asker has, where one grants it."""
    inherited_from: Role | None = None
    """The role from which that role has it, where it is another."""
    would_help: tuple[Role, ...] = ()
    """Roles that would grant it, where it is not granted."""


@dataclass(frozen=True)
class Tokens:
    """What a token endpoint answers; `refresh_token` is None for machines."""

    access_token: str
    expires_in: int
    scope: tuple[str, ...]
    tenant_id: UUID
    refresh_token: str | None = None
    token_type: Literal["Bearer"] = "Bearer"


@dataclass(frozen=True)
class User:
    """A person of a tenant, without anything secret."""

    id: UUID
    tenant_id: UUID
    email: str
    username: str
    display_name: str
    roles: tuple[Role, ...]
    permissions: tuple[Permission, ...]
    line_access: tuple[str, ...] | None
    locale: Locale
    status: UserStatus
    failed_logins: int
    locked_until: datetime | None
    last_login_at: datetime | None
    created_at: datetime
    has_password: bool


@dataclass(frozen=True)
class NewUser:
    """What is known of somebody who is to become a user; a username left out is made of the e-mail."""

    email: str
    roles: frozenset[Role]
    username: str | None = None
    display_name: str | None = None
    permissions: frozenset[Permission] = frozenset()
    line_access: tuple[str, ...] | None = None
    locale: Locale = "ko"


@dataclass(frozen=True)
class ApiKey:
    """A key, without its secret; the prefix is how people recognise it."""

    id: UUID
    tenant_id: UUID
    name: str
    prefix: str
    owner_id: UUID | None
    scopes: tuple[Permission, ...]
    line_access: tuple[str, ...] | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True)
class NewApiKey:
    """A key to be made. Without an owner it is a service account."""

    name: str
    scopes: frozenset[Permission]
    owner_id: UUID | None = None
    line_access: tuple[str, ...] | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True)
class OAuthClient:
    """A program that asks for tokens, without its secret. A public one has none."""

    id: UUID
    tenant_id: UUID
    client_id: str
    name: str
    is_public: bool
    redirect_uris: tuple[str, ...]
    scopes: tuple[Permission, ...]
    line_access: tuple[str, ...] | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True)
class NewOAuthClient:
    """A client to be made: `scopes` are what a machine may do by client credentials, `redirect_uris` are for PKCE."""

    name: str
    redirect_uris: tuple[str, ...] = ()
    scopes: frozenset[Permission] = frozenset()
    is_public: bool = False
    line_access: tuple[str, ...] | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True)
class AuthorizationRequest:
    """What a client asks of the login page, as it stands in the URL (RFC 6749, 7636)."""

    client_id: str
    redirect_uri: str
    code_challenge: str
    code_challenge_method: str = "S256"
    response_type: str = "code"
    scope: str | None = None


@dataclass(frozen=True)
class CheckedAuthorization:
    """A request that may be answered: whose client it is, and what it would get."""

    client: OAuthClient
    tenant_slug: str
    redirect_uri: str
    code_challenge: str
    scope: tuple[Permission, ...] | None


@dataclass(frozen=True)
class Secret:
    """Something that is shown once: it does not show itself in logs and tracebacks."""

    value: str = field(repr=False)

    def __str__(self) -> str:
        return "***"
