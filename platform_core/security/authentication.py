"""Who asks: from a bearer token or an API key to a Principal, mostly without the database."""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar
from uuid import UUID

from platform_core.security import access_tokens
from platform_core.security.access_tokens import VerifiedToken
from platform_core.security.context import Security, digest
from platform_core.security.contracts import Principal, PrincipalKind, Secret
from platform_core.security.errors import UnauthorizedError
from platform_core.security.service.machines import verify_api_key
from platform_core.security.store import machines as machines_sql
from platform_core.security.store import users as users_sql

_MOST = 10_000

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class _Recent(Generic[_Key, _Value]):
    """The values that were stored last, up to a number of them, each with the time at which it was read."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._held: OrderedDict[_Key, tuple[datetime, int, _Value]] = OrderedDict()

    def get(self, key: _Key) -> tuple[datetime, int, _Value] | None:
        with self._guard:
            return self._held.get(key)

    def put(self, key: _Key, read_at: datetime, changes: int, value: _Value) -> None:
        with self._guard:
            self._held[key] = (read_at, changes, value)
            self._held.move_to_end(key)
            while len(self._held) > _MOST:
                self._held.popitem(last=False)


@dataclass(frozen=True)
class _State:
    """What a token must agree with."""

    epoch: int
    active: bool


_Subject = tuple[PrincipalKind, UUID, UUID]


class Authenticator:
    """Made once in a process, used by all its threads.

    A token's signature is checked the first time that it comes, its time at every request, and whether its user or
    client still has it at least every `policy.recheck`; without an answer of the database nobody is let in.
    """

    def __init__(self, security: Security) -> None:
        self._security = security
        self._tokens: _Recent[bytes, VerifiedToken] = _Recent()
        self._states: _Recent[_Subject, _State | None] = _Recent()
        self._keys: _Recent[bytes, Principal] = _Recent()

    def authenticate_bearer(self, token: str) -> Principal:
        """Who holds an access token; raises TokenExpiredError and UnauthorizedError."""
        now = self._security.clock()
        verified = self._verified(token, now)
        state = self._state(verified, now)
        return self._accept(verified, state)

    def authenticate_api_key(self, key: str) -> Principal:
        """Whose an API key is; raises UnauthorizedError."""
        now, changes = self._security.clock(), self._security.changes.count
        held = digest(key)
        found = self._keys.get(held)
        if found is not None and self._is_fresh(found[0], found[1], now):
            return found[2]
        principal = verify_api_key(self._security, Secret(key))
        self._keys.put(held, now, changes, principal)
        return principal

    def authenticate(self, credential: str) -> Principal:
        """Either of the two: an API key begins with takt_, which no token does."""
        if credential.startswith("takt_"):
            return self.authenticate_api_key(credential)
        return self.authenticate_bearer(credential)

    def without_database(self, credential: str) -> Principal | None:
        """The same where the caches suffice, None where the database must be asked; raises what `authenticate` raises.

        For an event loop, which must not wait: where it is None, `authenticate` is called in a thread.
        """
        now = self._security.clock()
        if credential.startswith("takt_"):
            known = self._keys.get(digest(credential))
            return known[2] if known is not None and self._is_fresh(known[0], known[1], now) else None
        verified = self._verified(credential, now)
        found = self._states.get(_subject(verified))
        if found is None or not self._is_fresh(found[0], found[1], now):
            return None
        return self._accept(verified, found[2])

    def _verified(self, token: str, now: datetime) -> VerifiedToken:
        held = digest(token)
        found = self._tokens.get(held)
        if found is None:
            verified = access_tokens.verify(self._security.keys, self._security.policy, token, now)
            self._tokens.put(held, now, 0, verified)
            return verified
        access_tokens.check_time(found[2], now)
        return found[2]

    def _state(self, verified: VerifiedToken, now: datetime) -> _State | None:
        subject = _subject(verified)
        changes = self._security.changes.count  # before the query: what changes during it is asked again
        found = self._states.get(subject)
        if found is not None and self._is_fresh(found[0], found[1], now):
            return found[2]
        kind, tenant_id, id_ = subject
        query = users_sql.STATE if kind == "user" else machines_sql.CLIENT_STATE
        with self._security.begin() as conn:
            row = conn.execute(query, {"tenant_id": tenant_id, "id": id_, "now": now}).fetchone()
        state = _State(*row) if row else None
        self._states.put(subject, now, changes, state)
        return state

    def _accept(self, verified: VerifiedToken, state: _State | None) -> Principal:
        if state is None or not state.active or state.epoch != verified.epoch:
            raise UnauthorizedError("The access token was revoked.", hint="Log in again.")
        return verified.principal

    def _is_fresh(self, read_at: datetime, changes: int, now: datetime) -> bool:
        age = now - read_at
        in_time = timedelta(0) <= age <= self._security.policy.recheck
        return in_time and changes == self._security.changes.count


def _subject(verified: VerifiedToken) -> _Subject:
    who = verified.principal
    return who.kind, who.tenant_id, who.user_id
