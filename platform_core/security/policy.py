"""The numbers by which security works, taken from the settings once."""

from dataclasses import dataclass
from datetime import timedelta

from platform_core.settings import Settings


@dataclass(frozen=True)
class Policy:
    """How long things are good, and how many tries there are."""

    issuer: str
    audience: str
    access: timedelta
    refresh: timedelta
    session: timedelta
    recheck: timedelta
    lock_after: int
    lock_first: timedelta
    lock_most: timedelta
    password_length: int
    password_grant: bool
    invitation: timedelta
    reset: timedelta
    public_url: str
    code: timedelta = timedelta(seconds=60)
    """An authorization code is redeemed by a program, at once."""
    oidc_login: timedelta = timedelta(minutes=10)
    """How long somebody may take at a provider's login page."""


def policy_of(settings: Settings) -> Policy:
    """The policy that the settings say."""
    return Policy(
        issuer=settings.auth_issuer,
        audience=settings.auth_audience,
        access=timedelta(minutes=settings.auth_access_minutes),
        refresh=timedelta(days=settings.auth_refresh_days),
        session=timedelta(days=settings.auth_session_days),
        recheck=timedelta(seconds=settings.auth_recheck_seconds),
        lock_after=settings.auth_lock_after,
        lock_first=timedelta(seconds=settings.auth_lock_seconds),
        lock_most=timedelta(seconds=settings.auth_lock_max_seconds),
        password_length=settings.auth_password_length,
        password_grant=settings.auth_password_grant,
        invitation=timedelta(hours=settings.auth_invitation_hours),
        reset=timedelta(minutes=settings.auth_reset_minutes),
        public_url=str(settings.public_url).rstrip("/"),
    )
