"""The keys that sign access tokens: a file that only this user reads, shared by the processes of one warehouse."""

import threading
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from secrets import token_hex
from typing import cast

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from filelock import FileLock

from dbt_like_sql.errors import TaktError
from platform_core.security.errors import SigningKeysError
from platform_core.warehouse.embedded.state import read_private, write_private

_BITS = 2048


@dataclass(frozen=True)
class SigningKey:
    """A private key and the id by which tokens name it; `retired_at` is when a newer one took its place."""

    kid: str
    private: rsa.RSAPrivateKey
    created_at: datetime
    retired_at: datetime | None = None

    @property
    def public(self) -> rsa.RSAPublicKey:
        """What checks its signatures."""
        return self.private.public_key()


class KeyRing:
    """The newest key signs; older ones check until the tokens that they signed are over."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._guard = threading.Lock()
        self._stamp: tuple[int, int] | None = None
        self._keys: tuple[SigningKey, ...] = ()
        self._public: Mapping[str, rsa.RSAPublicKey] = {}

    def signing(self, now: datetime) -> SigningKey:
        """The key to sign with, made when there is none yet."""
        self._refresh()
        if not self._keys:

            def first(keys: tuple[SigningKey, ...]) -> tuple[SigningKey, ...]:
                return keys or (_new_key(now),)

            self._change(first)
        return self._keys[0]

    def public(self, kid: str) -> rsa.RSAPublicKey | None:
        """What checks signatures of that key; an unknown one may be a newer one of another process."""
        found = self._public.get(kid)
        if found is None:
            self._refresh()
            found = self._public.get(kid)
        return found

    def rotate(self, now: datetime, keep: timedelta) -> SigningKey:
        """Sign with a new key from now on; keys that retired over `keep` ago are dropped."""

        def rotated(keys: tuple[SigningKey, ...]) -> tuple[SigningKey, ...]:
            older = (SigningKey(key.kid, key.private, key.created_at, key.retired_at or now) for key in keys)
            return (_new_key(now), *(key for key in older if key.retired_at and key.retired_at + keep > now))

        self._change(rotated)
        return self._keys[0]

    def key_set(self, now: datetime) -> dict[str, list[dict[str, str]]]:
        """The public keys as a JWKS (RFC 7517), the newest first."""
        self.signing(now)
        return {"keys": [_as_jwk(key) for key in self._keys]}

    def _refresh(self) -> None:
        """Read the file again when it is another one than the last time."""
        with self._guard:
            stamp = self._stamp_of_file()
            if stamp is not None and stamp != self._stamp:
                self._read(stamp)

    def _change(self, change: Callable[[tuple[SigningKey, ...]], tuple[SigningKey, ...]]) -> None:
        """Apply a change to what the file holds, one process at a time."""
        with self._guard:
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                with FileLock(f"{self._path}.lock", timeout=30):
                    self._read(self._stamp_of_file())
                    changed = change(self._keys)
                    if changed != self._keys:
                        write_private(self._path, {"keys": [_as_stored(key) for key in changed]})
                        self._read(self._stamp_of_file())
            except OSError as error:
                raise SigningKeysError(f"{self._path} cannot be written: {error}.") from error

    def _read(self, stamp: tuple[int, int] | None) -> None:
        try:
            stored = read_private(self._path) or {"keys": []}
            keys = tuple(_of_stored(each) for each in cast(list[dict[str, str | None]], stored["keys"]))
        except (KeyError, TypeError, ValueError, TaktError) as error:
            raise SigningKeysError(
                f"{self._path} cannot be read as signing keys: {error}",
                hint="Restore it from a backup, or delete it: everybody logs in again then.",
            ) from error
        self._keys, self._stamp = keys, stamp
        self._public = {key.kid: key.public for key in keys}

    def _stamp_of_file(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino


def _new_key(now: datetime) -> SigningKey:
    return SigningKey(token_hex(8), rsa.generate_private_key(public_exponent=65537, key_size=_BITS), now)


def _as_stored(key: SigningKey) -> dict[str, str | None]:
    pem = key.private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {
        "kid": key.kid,
        "private_key": pem.decode(),
        "created_at": key.created_at.isoformat(),
        "retired_at": key.retired_at.isoformat() if key.retired_at else None,
    }


def _of_stored(stored: Mapping[str, str | None]) -> SigningKey:
    private = serialization.load_pem_private_key(str(stored["private_key"]).encode(), None)
    if not isinstance(private, rsa.RSAPrivateKey):
        raise ValueError("it holds a key that is not RSA")
    retired = stored["retired_at"]
    return SigningKey(
        str(stored["kid"]),
        private,
        datetime.fromisoformat(str(stored["created_at"])),
        datetime.fromisoformat(retired) if retired else None,
    )


def _as_jwk(key: SigningKey) -> dict[str, str]:
    numbers = key.public.public_numbers()
    return {
        "kty": "RSA",
        "use": "sig",
        "alg": "RS256",
        "kid": key.kid,
        "n": _base64url(numbers.n),
        "e": _base64url(numbers.e),
    }


def _base64url(number: int) -> str:
    return urlsafe_b64encode(number.to_bytes((number.bit_length() + 7) // 8, "big")).rstrip(b"=").decode()
