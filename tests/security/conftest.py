"""A Security on the test's database, with a clock that the test moves and a hasher that costs nothing."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from platform_core.security.context import Security, open_security
from platform_core.security.contracts import NewUser, Secret, Tokens, User
from platform_core.security.keys import KeyRing
from platform_core.security.passwords import Passwords
from platform_core.security.permissions import Role
from platform_core.security.service.login import Credentials, login
from platform_core.security.service.users import create_user
from platform_core.settings import Settings
from platform_core.tenants.contracts import Tenant
from platform_core.warehouse.connection import Warehouse, transaction

PASSWORD = Secret("correct horse battery 1")
CHEAP = Passwords(memory_kib=8, passes=1)


@dataclass
class Clock:
    """The time of a test."""

    now: datetime = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **time: float) -> None:
        """Let time pass."""
        self.now += timedelta(**time)


@dataclass(frozen=True)
class Place:
    """Security, its clock, and two tenants that know nothing of each other."""

    security: Security
    clock: Clock
    tenant: Tenant
    other: Tenant
    warehouse: Warehouse
    settings: Settings

    def user(self, name: str = "kim", *roles: Role, tenant: Tenant | None = None, **more: object) -> User:
        """A user with the password."""
        where = tenant or self.tenant
        new = NewUser(f"{name}@{where.slug}.example", frozenset(roles or (Role.VIEWER,)), username=name, **more)  # type: ignore[arg-type]
        return create_user(self.security, where.id, new, PASSWORD)

    def login(self, name: str = "kim", password: Secret = PASSWORD, tenant: Tenant | None = None) -> Tokens:
        """Log in as that user."""
        return login(self.security, Credentials((tenant or self.tenant).slug, name, password))

    def elsewhere(self) -> Security:
        """The same installation in another process: nothing of this one's memory."""
        keys = KeyRing(self.settings.home / "signing_keys.json")
        return replace(open_security(self.settings, self.warehouse), clock=self.clock, keys=keys, passwords=CHEAP)


@pytest.fixture
def place(warehouse: Warehouse, settings: Settings, tenant: Tenant, other_tenant: Tenant, keys: KeyRing) -> Place:
    clock = Clock()
    made = open_security(settings, warehouse)
    security = replace(made, begin=partial(transaction, warehouse), clock=clock, keys=keys, passwords=CHEAP)
    return Place(security, clock, tenant, other_tenant, warehouse, settings)


@pytest.fixture
def keys(settings: Settings) -> KeyRing:
    """Keys of the test's own."""
    return KeyRing(Path(settings.home) / "signing_keys.json")
