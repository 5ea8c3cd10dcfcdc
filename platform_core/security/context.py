"""What the use cases work with: sessions of the owner, keys, the hasher, the clock."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from hashlib import sha256
from secrets import token_urlsafe

import psycopg

from platform_core.clock import utc_now
from platform_core.security.keys import KeyRing
from platform_core.security.passwords import Passwords
from platform_core.security.policy import Policy, policy_of
from platform_core.settings import Settings
from platform_core.warehouse.connection import Warehouse, transaction

Clock = Callable[[], datetime]
Begin = Callable[[], AbstractContextManager[psycopg.Connection]]

KEYS_FILE = "signing_keys.json"


class Changes:
    """Counts what this process has changed about anybody's rights, so that its caches are not believed any more."""

    def __init__(self) -> None:
        self.count = 0

    def tell(self) -> None:
        """Something changed."""
        self.count += 1


@dataclass(frozen=True)
class Security:
    """Made once in a process. `begin` opens a transaction of the owner, as `transaction(warehouse)` or a pool does."""

    begin: Begin
    policy: Policy
    keys: KeyRing
    passwords: Passwords
    clock: Clock = utc_now
    changes: Changes = field(default_factory=Changes)


def open_security(settings: Settings, warehouse: Warehouse) -> Security:
    """Security as the settings say, on connections that are made for each use."""
    return Security(
        begin=partial(transaction, warehouse),
        policy=policy_of(settings),
        keys=KeyRing(settings.auth_keys_file or settings.home / KEYS_FILE),
        passwords=Passwords(),
    )


def new_secret() -> str:
    """256 random bits as text for URLs and headers."""
    return token_urlsafe(32)


def digest(secret: str) -> bytes:
    """How a random secret is stored: it has too many bits to be guessed, so a plain hash does."""
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()
