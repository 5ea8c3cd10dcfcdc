"""What the commands about users, keys and permissions share."""

import sys
from typing import TYPE_CHECKING

import typer

from platform_core.settings import Settings

if TYPE_CHECKING:
    from platform_core.security.context import Security
    from platform_core.security.contracts import Secret
    from platform_core.security.permissions import Permission, Role
    from platform_core.tenants.contracts import Tenant


def opened(slug: str) -> "tuple[Security, Tenant]":
    """Security on the warehouse of the settings, and the tenant that a command is about."""
    from platform_core.security.context import open_security
    from platform_core.tenants.service import get_tenant
    from platform_core.warehouse.connection import transaction
    from platform_core.warehouse.setup import prepare

    settings = Settings()
    warehouse = prepare(settings)
    with transaction(warehouse, read_only=True) as conn:
        tenant = get_tenant(conn, slug)
    return open_security(settings, warehouse), tenant


def asked_secret(what: str) -> "Secret":
    """A secret typed twice on a terminal, else the first line of standard input; others would see an argument."""
    from platform_core.security.contracts import Secret

    if sys.stdin.isatty():
        return Secret(str(typer.prompt(what, hide_input=True, confirmation_prompt=True)))
    line = sys.stdin.readline().rstrip("\r\n")
    if not line:
        raise typer.BadParameter(f"{what}: type it on a terminal, or send it as the first line of standard input.")
    return Secret(line)


def role_of(word: str) -> "Role":
    """A role by its name."""
    from platform_core.security.permissions import Role

    if word not in set(Role):
        raise typer.BadParameter(f"{word!r} is no role: {', '.join(Role)}.")
    return Role(word)


def permission_of(word: str) -> "Permission":
    """A permission by its name."""
    from platform_core.security.permissions import Permission

    if word not in set(Permission):
        raise typer.BadParameter(f"{word!r} is no permission: {', '.join(Permission)}.")
    return Permission(word)


def lines_shown(lines: tuple[str, ...] | None) -> str:
    """Lines for people: all of them, none, or which."""
    if lines is None:
        return "all lines"
    return f"lines {', '.join(lines)}" if lines else "no line"
