"""`takt apikey`."""

import json
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from platform_cli.identity import lines_shown, opened, permission_of

if TYPE_CHECKING:
    from platform_core.security.contracts import ApiKey

app = typer.Typer(help="Make, list and revoke the API keys of machines.", no_args_is_help=True)

_Tenant = Annotated[str, typer.Option(help="Slug of the tenant.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What it is for, such as 'MES gateway'.")],
    scope: Annotated[list[str], typer.Option(help="A permission, such as record:write; repeatable.")],
    line: Annotated[list[str] | None, typer.Option(help="See this line only; repeatable.")] = None,
    owner: Annotated[str | None, typer.Option(help="A user, whose rights limit it; else a service account.")] = None,
    days: Annotated[int, typer.Option(min=0, help="Days until it is over; 0: never.")] = 365,
    tenant: _Tenant = "default",
    as_json: _Json = False,
) -> None:
    """Make a key and print it. It is shown this once: what is stored does not lead back to it."""
    from platform_core.security.contracts import NewApiKey
    from platform_core.security.service.machines import create_api_key
    from platform_core.security.service.users import find_user

    scopes = frozenset(permission_of(word) for word in scope)
    security, whose = opened(tenant)
    new = NewApiKey(
        name=name,
        scopes=scopes,
        owner_id=find_user(security, whose.id, owner).id if owner else None,
        line_access=tuple(line) if line else None,
        expires_at=security.clock() + timedelta(days=days) if days else None,
    )
    made, key = create_api_key(security, whose.id, new)
    if as_json:
        typer.echo(json.dumps(asdict(made) | {"key": key.value}, ensure_ascii=False, default=str))
        return
    typer.echo(key.value)
    typer.echo(f"Keep it now; it is not shown again. {_told(made)}", err=True)


@app.command("list")
def list_(tenant: _Tenant = "default", as_json: _Json = False) -> None:
    """List the keys of a tenant, the newest first."""
    from platform_core.security.service.machines import list_api_keys

    security, whose = opened(tenant)
    keys = list_api_keys(security, whose.id)
    if as_json:
        typer.echo(json.dumps([asdict(key) for key in keys], ensure_ascii=False, default=str))
        return
    for key in keys:
        typer.echo(_told(key))
    if not keys:
        typer.echo(f"{whose.slug} has no keys: takt apikey create NAME --scope record:write.")


@app.command()
def revoke(
    key: Annotated[str, typer.Argument(help="Prefix or id, as `takt apikey list` shows it.")],
    tenant: _Tenant = "default",
    as_json: _Json = False,
) -> None:
    """End a key."""
    from platform_core.security.service.machines import revoke_api_key

    security, whose = opened(tenant)
    revoked = revoke_api_key(security, whose.id, key)
    typer.echo(json.dumps(asdict(revoked), ensure_ascii=False, default=str) if as_json else _told(revoked))


def _told(key: "ApiKey") -> str:
    state = f"revoked {key.revoked_at:%Y-%m-%d}" if key.revoked_at else "good"
    until = f"until {key.expires_at:%Y-%m-%d}" if key.expires_at else "without end"
    used = f"last used {key.last_used_at:%Y-%m-%d %H:%M} UTC" if key.last_used_at else "never used"
    scopes = ", ".join(key.scopes)
    return f"{key.prefix}  {key.name}: {state}, {until}; {scopes}; {lines_shown(key.line_access)}; {used}"
