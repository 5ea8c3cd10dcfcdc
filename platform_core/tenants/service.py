"""Making and finding tenants."""

import re
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import psycopg
from psycopg.rows import class_row

from platform_core.settings import Settings
from platform_core.tenants import store
from platform_core.tenants.contracts import DEFAULT_TIMEZONE, Tenant
from platform_core.tenants.errors import TenantInvalidError, TenantNotFoundError

_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


def create_tenant(
    connection: psycopg.Connection, slug: str, display_name: str | None = None, timezone: str = DEFAULT_TIMEZONE
) -> Tenant:
    """Make a tenant, or return the one that has the slug, as it is. Raises TenantInvalidError."""
    _check_slug(slug)
    check_timezone(timezone)
    values = {"slug": slug, "display_name": display_name or slug, "timezone": timezone}
    connection.execute(store.INSERT, values)
    return get_tenant(connection, slug)


def set_timezone(connection: psycopg.Connection, slug: str, timezone: str) -> None:
    """Change the zone and nothing else; raises TenantInvalidError.

    The dates of its records depend on it: `platform_core.ingest.rezone` changes both.
    """
    check_timezone(timezone)
    connection.execute(store.SET_TIMEZONE, {"slug": slug, "timezone": timezone})


def get_tenant(connection: psycopg.Connection, slug: str) -> Tenant:
    """The tenant with this slug; raises TenantNotFoundError, which lists the slugs that there are."""
    cursor = connection.cursor(row_factory=class_row(Tenant))
    tenant = cursor.execute(store.GET, {"slug": slug}).fetchone()
    if tenant is None:
        known = ", ".join(known.slug for known in list_tenants(connection)) or "none yet"
        raise TenantNotFoundError(f"There is no tenant {slug!r}.", hint=f"Tenants: {known}.")
    return tenant


def list_tenants(connection: psycopg.Connection) -> tuple[Tenant, ...]:
    """All tenants by slug; as the API role only the session's own."""
    return tuple(connection.cursor(row_factory=class_row(Tenant)).execute(store.LIST).fetchall())


def tenant_home(settings: Settings, slug: str) -> Path:
    """The folder of a tenant's mappings, sources and accepted master data; may not exist yet."""
    _check_slug(slug)  # a slug from outside must not lead out of the folder
    return settings.home / "tenants" / slug


def check_timezone(timezone: str) -> None:
    """Raise TenantInvalidError unless `timezone` is an IANA name that this machine knows."""
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise TenantInvalidError(
            f"{timezone!r} is not a time zone.", hint="Use a name such as Asia/Seoul or Europe/Berlin."
        ) from error


def _check_slug(slug: str) -> None:
    if not _SLUG.fullmatch(slug):
        raise TenantInvalidError(
            f"{slug!r} cannot be a tenant's slug.",
            hint="Use up to 63 lower-case letters, digits, - and _, beginning with a letter or digit.",
        )
