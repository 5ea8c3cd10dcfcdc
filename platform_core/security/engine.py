"""Decisions without a database: what somebody may do and why, how long an account waits, what a password must be."""

import hashlib
import hmac
import re
import unicodedata
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from datetime import datetime, timedelta

from platform_core.security.contracts import Decision, Grants, Principal, Reason, UserStatus
from platform_core.security.errors import ForbiddenError, PasswordWeakError, ScopeInvalidError
from platform_core.security.permissions import (
    DESCRIPTIONS,
    ROLE_NAMES,
    Permission,
    Role,
    permissions_of,
    role_that_grants,
)

_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_PASSWORD_MOST = 1024


def granted(grants: Grants) -> frozenset[Permission]:
    """What roles and extras allow together, before any token cuts it."""
    return grants.extra.union(*(permissions_of(role) for role in grants.roles))


def effective(grants: Grants, scope: frozenset[Permission] | None) -> frozenset[Permission]:
    """What is left under a token's scope: a scope takes away and never adds."""
    everything = granted(grants)
    return everything if scope is None else everything & scope


def narrower_lines(first: Iterable[str] | None, second: Iterable[str] | None) -> tuple[str, ...] | None:
    """The lines that both allow; None allows all."""
    if first is None or second is None:
        only = first if second is None else second
        return None if only is None else tuple(sorted(set(only)))
    return tuple(sorted(set(first) & set(second)))


def parse_scope(text: str | None) -> frozenset[Permission] | None:
    """A scope as it stands in a request: permissions with spaces between; None or nothing is no limit."""
    words = (text or "").split()
    if not words:
        return None
    known = {str(permission) for permission in Permission}
    unknown = sorted(set(words) - known)
    if unknown:
        raise ScopeInvalidError(
            f"There is no scope {', '.join(unknown)[:200]}.", hint="A scope names permissions such as bi:read."
        )
    return frozenset(Permission(word) for word in words)


def known_permissions(words: Iterable[str]) -> frozenset[Permission]:
    """Those of the stored words that this version knows: a permission that is no more grants nothing."""
    known = {str(permission) for permission in Permission}
    return frozenset(Permission(word) for word in words if word in known)


def decide(grants: Grants, scope: frozenset[Permission] | None, permission: Permission) -> Decision:
    """Whether it is allowed, and because of what."""
    if permission not in granted(grants):
        would = tuple(role for role in Role if permission in permissions_of(role))
        return Decision(False, permission, Reason.NOT_GRANTED, would_help=would)
    role, source = _granting(grants, permission)
    if scope is not None and permission not in scope:
        return Decision(False, permission, Reason.OUTSIDE_SCOPE, role=role, inherited_from=source)
    reason = Reason.BY_OWN_PERMISSION if role is None else Reason.BY_ROLE
    return Decision(True, permission, reason, role=role, inherited_from=source)


def authorize(principal: Principal, permission: Permission) -> Decision:
    """Whether who asks may do it, and because of what."""
    return decide(Grants(principal.roles, principal.extra), principal.scope, permission)


def require(principal: Principal, permission: Permission) -> Decision:
    """The decision when it is allowed; raises ForbiddenError, which names the missing permission."""
    decision = authorize(principal, permission)
    if not decision.allowed:
        raise ForbiddenError(sentence(decision, principal.locale), decision)
    return decision


def decide_for_account(
    grants: Grants, permission: Permission, *, status: UserStatus, locked: bool, tenant_active: bool
) -> Decision:
    """As `decide` without a scope, for an account that may not be able to log in at all."""
    wall = _wall(status, locked=locked, tenant_active=tenant_active)
    decision = decide(grants, None, permission)
    if wall is None:
        return decision
    return Decision(False, permission, wall, decision.role, decision.inherited_from, decision.would_help)


def sentence(decision: Decision, locale: str) -> str:
    """The decision in words for people, in Korean or English."""
    what = f"{decision.permission} ({DESCRIPTIONS[decision.permission].of(locale)})"
    return _korean(decision, what) if locale.startswith("ko") else _english(decision, what)


def locked_until(failures: int, now: datetime, *, after: int, first: timedelta, most: timedelta) -> datetime | None:
    """Until when an account waits after so many failed logins in a row: twice as long for each one more."""
    if failures < after:
        return None
    return now + min(first * 2 ** min(failures - after, 20), most)


def proves(verifier: str, challenge: str) -> bool:
    """Whether a PKCE verifier belongs to the S256 challenge."""
    if not _VERIFIER.fullmatch(verifier):
        return False
    made = urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=")
    return hmac.compare_digest(made, challenge.encode())


def is_challenge(text: str) -> bool:
    """Whether it has the form of an S256 challenge."""
    return _CHALLENGE.fullmatch(text) is not None


def storable(text: str) -> bool:
    """Whether PostgreSQL and a hasher can take it: half a character or a NUL may come in JSON, and means nobody."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\x00" not in text


def normalized_password(password: str) -> str:
    """One form for what different keyboards send for the same characters."""
    return unicodedata.normalize("NFKC", password)


def check_password(password: str, least: int, names: Iterable[str]) -> None:
    """Raise PasswordWeakError for one that is too short, too long, of few characters, or the account's own name."""
    text = normalized_password(password)
    if not storable(text):
        raise PasswordWeakError("A password has whole characters only.")
    if len(text) < least or len(text) > _PASSWORD_MOST:
        raise PasswordWeakError(f"A password has {least} to {_PASSWORD_MOST} characters; this one has {len(text)}.")
    if len(set(text)) < 5:
        raise PasswordWeakError("A password of so few different characters is easy to guess.")
    folded = text.casefold()
    for name in names:
        if len(name) >= 4 and folded.replace(name.casefold(), "").__len__() < 5:
            raise PasswordWeakError("A password that is little more than a name of the account is easy to guess.")


def _granting(grants: Grants, permission: Permission) -> tuple[Role | None, Role | None]:
    """The role that grants it, of several the least; and where that one has it from, if from another."""
    having = [role for role in reversed(Role) if role in grants.roles and permission in permissions_of(role)]
    if not having:
        return None, None
    role = min(having, key=lambda each: len(permissions_of(each)))
    source = role_that_grants(role, permission)
    return role, source if source != role else None


def _wall(status: UserStatus, *, locked: bool, tenant_active: bool) -> Reason | None:
    if not tenant_active:
        return Reason.TENANT_NOT_ACTIVE
    if status == "locked" or (status == "active" and locked):
        return Reason.USER_LOCKED
    by_status: dict[UserStatus, Reason] = {"inactive": Reason.USER_INACTIVE, "invited": Reason.USER_INVITED}
    return by_status.get(status)


def _korean(decision: Decision, what: str) -> str:
    if decision.reason in (Reason.BY_ROLE, Reason.BY_OWN_PERMISSION):
        if decision.role is None:
            return f"{what} 권한이 있습니다: 사용자에게 직접 부여되었습니다."
        from_ = f", {ROLE_NAMES[decision.inherited_from].ko} 역할에서 상속" if decision.inherited_from else ""
        return f"{what} 권한이 있습니다: {ROLE_NAMES[decision.role].ko} 역할({decision.role}{from_})."
    roles = ", ".join(ROLE_NAMES[role].ko for role in decision.would_help)
    why = {
        Reason.NOT_GRANTED: f"어느 역할도 이 권한을 주지 않습니다. 이 권한이 있는 역할: {roles}.",
        Reason.OUTSIDE_SCOPE: "역할에는 있으나 토큰이나 키의 범위(scope)에 없습니다.",
        Reason.USER_INACTIVE: "비활성화된 사용자입니다.",
        Reason.USER_LOCKED: "잠긴 사용자입니다.",
        Reason.USER_INVITED: "아직 초대를 수락하지 않은 사용자입니다.",
        Reason.TENANT_NOT_ACTIVE: "회사 계정이 활성 상태가 아닙니다.",
    }
    return f"{what} 권한이 없습니다: {why[decision.reason]}"


def _english(decision: Decision, what: str) -> str:
    if decision.reason in (Reason.BY_ROLE, Reason.BY_OWN_PERMISSION):
        if decision.role is None:
            return f"Permission {what} is there: it was given to the user itself."
        from_ = f", which has it from {decision.inherited_from}" if decision.inherited_from else ""
        return f"Permission {what} is there: by the role {decision.role}{from_}."
    why = {
        Reason.NOT_GRANTED: f"no role gives it. Roles that have it: {', '.join(decision.would_help)}.",
        Reason.OUTSIDE_SCOPE: "the roles have it, the scope of the token or key does not.",
        Reason.USER_INACTIVE: "the user is disabled.",
        Reason.USER_LOCKED: "the user is locked.",
        Reason.USER_INVITED: "the user has not accepted the invitation yet.",
        Reason.TENANT_NOT_ACTIVE: "the tenant is not active.",
    }
    return f"Permission {what} is missing: {why[decision.reason]}"
