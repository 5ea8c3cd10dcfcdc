"""Passwords as they are stored: argon2id, and the same work for an account that does not exist."""

from dataclasses import dataclass, field

from pwdlib import PasswordHash
from pwdlib.exceptions import PwdlibError
from pwdlib.hashers.argon2 import Argon2Hasher

from platform_core.security.engine import normalized_password, storable

_MEMORY_KIB, _PASSES, _LANES = 19 * 1024, 2, 1
"""OWASP's first recommendation; 50 logins at once take 1 GiB."""


@dataclass(frozen=True)
class Checked:
    """Whether the password is right, and a new hash where the stored one is of weaker settings."""

    right: bool
    new_hash: str | None = None


@dataclass(frozen=True)
class Passwords:
    """Hashes and checks; the settings may be lowered by tests only."""

    memory_kib: int = _MEMORY_KIB
    passes: int = _PASSES
    _hasher: PasswordHash = field(init=False, repr=False)
    _nobodys: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        hasher = PasswordHash((Argon2Hasher(self.passes, self.memory_kib, _LANES),))
        object.__setattr__(self, "_hasher", hasher)
        object.__setattr__(self, "_nobodys", hasher.hash("the password of nobody"))

    def hash(self, password: str) -> str:
        """The hash to store."""
        return self._hasher.hash(normalized_password(password))

    def check(self, password: str, stored: str | None) -> Checked:
        """Whether it is right; without a stored hash as much work is done, and it is wrong."""
        text = normalized_password(password)
        text = text if storable(text) else ""
        try:
            right, new_hash = self._hasher.verify_and_update(text, stored or self._nobodys)
        except PwdlibError:  # a stored hash of a kind that we do not know
            return Checked(False)
        return Checked(True, new_hash) if right and stored is not None else Checked(False)
