"""Signing in at a provider (OpenID Connect): a provider is made known, a browser goes there and a user comes back."""

import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import LiteralString
from uuid import UUID

import httpx
import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from platform_core.security import oidc
from platform_core.security.accounts import Account, find_account, get_account
from platform_core.security.context import Security, digest, new_secret
from platform_core.security.contracts import NewUser, Secret, User
from platform_core.security.engine import storable
from platform_core.security.errors import (
    ProviderError,
    ProviderInvalidError,
    ProviderNotFoundError,
    SignInRefusedError,
    UserNotFoundError,
)
from platform_core.security.oidc import Person
from platform_core.security.permissions import Role
from platform_core.security.service.users import insert_user
from platform_core.security.store import providers as sql
from platform_core.settings import Settings
from platform_core.tenants.service import tenant_home
from platform_core.warehouse.embedded.state import read_private, write_private

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


@dataclass(frozen=True)
class NewProvider:
    """A provider to be made known. Groups that the map does not name give nothing.

    With a map the provider says at every sign-in which roles somebody has; without one, new users begin with
    `default_roles` and keep what they are given here.
    """

    name: str
    issuer: str
    client_id: str
    client_secret: Secret | None = None
    display_name: str | None = None
    scopes: tuple[str, ...] = ("openid", "email", "profile")
    groups_claim: str = "groups"
    group_roles: Mapping[str, Iterable[Role]] = field(default_factory=dict[str, Iterable[Role]])
    default_roles: frozenset[Role] = frozenset()
    link_by_email: bool = False
    """Whether its verified e-mails are believed to be those of users who are there already."""


@dataclass(frozen=True)
class Provider:
    """A provider as it is stored."""

    id: UUID
    tenant_id: UUID
    name: str
    display_name: str
    issuer: str
    client_id: str
    scopes: list[str]
    groups_claim: str
    group_roles: dict[str, list[str]]
    default_roles: list[str]
    link_by_email: bool
    is_enabled: bool
    tenant_slug: str
    tenant_active: bool


@dataclass(frozen=True)
class SignIn:
    """What signing in works with. `http` follows no redirects and has a timeout."""

    security: Security
    http: httpx.Client
    settings: Settings


@dataclass(frozen=True)
class Departure:
    """Where the browser goes, and what it must bring back in a cookie of its own."""

    url: str
    state: Secret


@dataclass(frozen=True)
class Arrival:
    """What a browser comes back with: the query's state, code and error, and the state of its cookie."""

    state: Secret
    cookie_state: Secret
    code: Secret | None
    error: str | None = None


@dataclass(frozen=True)
class _UnderWay:
    tenant_id: UUID
    provider_id: UUID
    nonce: str
    code_verifier: str
    redirect_uri: str
    expires_at: datetime


def put_provider(sign_in: SignIn, tenant_id: UUID, slug: str, new: NewProvider) -> None:
    """Make a provider known or change it; its secret goes to the tenant's folder. Raises ProviderInvalidError."""
    if not _NAME.fullmatch(new.name):
        raise ProviderInvalidError(f"{new.name[:64]!r} cannot be a name.", hint="Lower-case letters, digits, - and _.")
    values = {
        "tenant_id": tenant_id,
        "name": new.name,
        "display_name": new.display_name or new.name,
        "issuer": oidc.check_issuer(new.issuer),
        "client_id": new.client_id,
        "scopes": list(new.scopes),
        "groups_claim": new.groups_claim,
        "group_roles": Jsonb({group: sorted(roles) for group, roles in new.group_roles.items()}),
        "default_roles": sorted(new.default_roles),
        "link_by_email": new.link_by_email,
        "now": sign_in.security.clock(),
    }
    if new.client_secret is not None:
        path = _secret_file(sign_in, slug, new.name)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(path, {"client_secret": new.client_secret.value})
    with sign_in.security.begin() as conn:
        conn.execute(sql.FORGET_IDENTITIES, values)
        conn.execute(sql.INSERT, values)


def disable_provider(sign_in: SignIn, tenant_id: UUID, name: str) -> None:
    """Nobody signs in there any more; who is in stays in. Raises ProviderNotFoundError."""
    values = {"tenant_id": tenant_id, "name": name, "now": sign_in.security.clock()}
    with sign_in.security.begin() as conn:
        if conn.execute(sql.DISABLE, values).rowcount == 0:
            raise _unknown(name)


def list_providers(security: Security, slug: str) -> tuple[Provider, ...]:
    """Where users of a tenant can sign in, for its login page."""
    if not storable(slug):
        return ()
    with security.begin() as conn:
        found = conn.cursor(row_factory=class_row(Provider)).execute(sql.LIST, {"slug": slug}).fetchall()
    return tuple(each for each in found if each.is_enabled and each.tenant_active)


def begin_sign_in(sign_in: SignIn, slug: str, name: str, redirect_uri: str) -> Departure:
    """Where to send the browser. The state belongs into a cookie (HttpOnly, SameSite=Lax, Secure).

    Without that cookie somebody could send another's browser back with a code of their own.
    """
    security = sign_in.security
    with security.begin() as conn:
        provider = _one(conn, sql.FIND, {"slug": slug, "name": name}) if storable(slug) and storable(name) else None
    if provider is None or not provider.is_enabled or not provider.tenant_active:
        raise _unknown(name)
    endpoints = oidc.discover(sign_in.http, provider.issuer)
    state, nonce, verifier, now = new_secret(), new_secret(), new_secret(), security.clock()
    client = oidc.Client(provider.client_id, None, redirect_uri)
    url = oidc.authorization_url(endpoints, client, provider.scopes, state, nonce, verifier)
    values = {
        "state_hash": digest(state),
        "tenant_id": provider.tenant_id,
        "provider_id": provider.id,
        "nonce": nonce,
        "code_verifier": verifier,
        "redirect_uri": redirect_uri,
        "now": now,
        "expires_at": now + security.policy.oidc_login,
    }
    with security.begin() as conn:
        conn.execute(sql.BEGIN, values)
    return Departure(url, Secret(state))


def finish_sign_in(sign_in: SignIn, arrival: Arrival) -> User:
    """Who has come back, made a user where they are new and may be. Raises SignInRefusedError and ProviderError."""
    security = sign_in.security
    if not hmac.compare_digest(digest(arrival.state.value), digest(arrival.cookie_state.value)):
        raise SignInRefusedError("This sign-in was begun in another browser.", hint="Begin again.")
    under_way, provider = _taken(security, arrival)
    if arrival.error is not None or arrival.code is None:
        raise SignInRefusedError(f"The provider did not let anybody in: {(arrival.error or 'no code')[:100]}.")
    endpoints = oidc.discover(sign_in.http, provider.issuer)
    client = oidc.Client(provider.client_id, _secret(sign_in, provider), under_way.redirect_uri)
    token = oidc.redeem(sign_in.http, endpoints, client, arrival.code, under_way.code_verifier)
    expected = oidc.Expected(provider.issuer, provider.client_id, under_way.nonce)
    person = oidc.verify(sign_in.http, endpoints, expected, token, security.clock(), provider.groups_claim)
    if not storable(person.subject) or len(person.subject) > 255:
        raise ProviderError("The provider's id_token names nobody who could be stored.")
    with security.begin() as conn:
        user = _admit(conn, security, provider, person)
    security.changes.tell()
    return user


def _taken(security: Security, arrival: Arrival) -> tuple[_UnderWay, Provider]:
    """The sign-in that the state belongs to, which is over with that, and its provider."""
    with security.begin() as conn:
        values = {"state_hash": digest(arrival.state.value)}
        found = conn.cursor(row_factory=class_row(_UnderWay)).execute(sql.TAKE, values).fetchone()
        key = {"tenant_id": found.tenant_id, "id": found.provider_id} if found else None
        provider = _one(conn, sql.GET, key) if key else None
    if found is None or found.expires_at <= security.clock():
        raise SignInRefusedError("This sign-in is unknown or took too long.", hint="Begin again.")
    if provider is None or not provider.is_enabled or not provider.tenant_active:
        raise SignInRefusedError("Nobody signs in there any more.")
    return found, provider


def _admit(conn: psycopg.Connection, security: Security, provider: Provider, person: Person) -> User:
    roles = _roles(provider, person)
    key: dict[str, object] = {
        "tenant_id": provider.tenant_id,
        "provider_id": provider.id,
        "subject": person.subject,
        "now": security.clock(),
    }
    conn.execute(sql.LOCK_SUBJECT, key)
    row = conn.execute(sql.IDENTITY, key).fetchone()
    account = get_account(conn, provider.tenant_id, row[0]) if row else None
    if account is None:
        account = _linked(conn, provider, person) or _made(conn, security, provider, person, roles)
        conn.execute(sql.ADD_IDENTITY, key | {"user_id": account.id})
    if account.status not in ("active", "invited"):
        raise SignInRefusedError(f"The user {account.email} is disabled or locked.")
    if provider.group_roles and not roles:
        raise _without_role(provider, person)
    kept = sorted(roles) if provider.group_roles else sorted(account.roles)
    conn.execute(sql.SEEN, key)
    conn.execute(sql.SIGNED_IN, key | {"user_id": account.id, "roles": kept})
    return (get_account(conn, account.tenant_id, account.id) or account).as_user()


def _linked(conn: psycopg.Connection, provider: Provider, person: Person) -> Account | None:
    """A user who is there already and has that e-mail."""
    if person.email is None:
        return None
    try:
        found = find_account(conn, provider.tenant_id, person.email)
    except UserNotFoundError:
        return None
    if provider.link_by_email and person.email_verified and found.email == person.email:
        return found
    raise SignInRefusedError(
        f"There is a user with the e-mail {person.email} already, and {provider.display_name} may not speak for it.",
        hint="An administrator lets a provider link verified e-mails, where it can be trusted with that.",
    )


def _made(
    conn: psycopg.Connection, security: Security, provider: Provider, person: Person, roles: frozenset[Role]
) -> Account:
    if not roles:
        raise _without_role(provider, person)
    if person.email is None:
        raise SignInRefusedError("The provider does not tell the e-mail.", hint="Its client needs the scope email.")
    new = NewUser(person.email, roles, display_name=person.name)
    return insert_user(conn, security, provider.tenant_id, new, "active", None)


def _roles(provider: Provider, person: Person) -> frozenset[Role]:
    mapped = [role for group in person.groups for role in provider.group_roles.get(group, ())]
    return frozenset(Role(role) for role in mapped or provider.default_roles)


def _without_role(provider: Provider, person: Person) -> SignInRefusedError:
    groups = ", ".join(person.groups)[:200] or "none"
    return SignInRefusedError(
        f"{person.email or person.subject} has no role here; groups at {provider.display_name}: {groups}.",
        hint="An administrator maps a group to a role.",
    )


def _secret(sign_in: SignIn, provider: Provider) -> Secret | None:
    stored = read_private(_secret_file(sign_in, provider.tenant_slug, provider.name))
    return Secret(str(stored["client_secret"])) if stored else None


def _secret_file(sign_in: SignIn, slug: str, name: str) -> Path:
    return tenant_home(sign_in.settings, slug) / "oidc" / f"{name}.json"


def _one(conn: psycopg.Connection, query: LiteralString, values: Mapping[str, object]) -> Provider | None:
    return conn.cursor(row_factory=class_row(Provider)).execute(query, values).fetchone()


def _unknown(name: str) -> ProviderNotFoundError:
    return ProviderNotFoundError(f"There is no provider {name[:64]!r}.")
