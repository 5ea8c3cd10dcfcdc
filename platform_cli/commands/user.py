"""`takt user`."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from platform_cli.identity import asked_secret, lines_shown, opened, permission_of, role_of
from platform_core.settings import Settings

if TYPE_CHECKING:
    from platform_core.security.contracts import NewUser, User

app = typer.Typer(help="Make users, and say what they may do and see.", no_args_is_help=True)

_User = Annotated[str, typer.Argument(metavar="USER", help="E-mail, username or id.")]
_Tenant = Annotated[str, typer.Option(help="Slug of the tenant.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def create(
    email: Annotated[str, typer.Argument(help="E-mail of the person.")],
    admin: Annotated[bool, typer.Option("--admin", help="An administrator: the same as --role admin.")] = False,
    role: Annotated[list[str] | None, typer.Option(help="A role; repeatable.")] = None,
    permission: Annotated[list[str] | None, typer.Option(help="A permission beside the roles'; repeatable.")] = None,
    line: Annotated[list[str] | None, typer.Option(help="See this line only; repeatable.")] = None,
    username: Annotated[str | None, typer.Option(help="Name to log in with; the e-mail works always.")] = None,
    name: Annotated[str | None, typer.Option(help="Name to be shown.")] = None,
    locale: Annotated[str, typer.Option(help="ko or en.")] = "ko",
    invite: Annotated[bool, typer.Option("--invite", help="Ask for no password; make a link to choose one.")] = False,
    tenant: _Tenant = "default",
    as_json: _Json = False,
) -> None:
    """Make a user. The password is asked for, or read from the first line of standard input.

    With --invite nobody but the person knows a password: the link is mailed where TAKT_SMTP_HOST is set, else printed.
    """
    from platform_core.security.contracts import NewUser
    from platform_core.security.service.users import create_user

    roles = frozenset(role_of(word) for word in [*(role or ()), *(["admin"] if admin else [])])
    if not roles:
        raise typer.BadParameter("name a --role, or --admin.")
    new = NewUser(
        email=email,
        roles=roles,
        username=username,
        display_name=name,
        permissions=frozenset(permission_of(word) for word in permission or ()),
        line_access=tuple(line) if line else None,
        locale="en" if locale == "en" else "ko",
    )
    if invite:
        _invite(new, tenant, as_json=as_json)
        return
    password = asked_secret("Password")
    security, owner = opened(tenant)
    _show(create_user(security, owner.id, new, password), as_json=as_json)


@app.command("list")
def list_(tenant: _Tenant = "default", as_json: _Json = False) -> None:
    """List the users of a tenant."""
    from platform_core.security.service.users import list_users

    security, owner = opened(tenant)
    users = list_users(security, owner.id)
    if as_json:
        typer.echo(json.dumps([asdict(user) for user in users], ensure_ascii=False, default=str))
        return
    for user in users:
        _show(user, as_json=False)
    if not users:
        typer.echo(f"{owner.slug} has no users yet: takt user create EMAIL --admin.")


@app.command()
def disable(user: _User, tenant: _Tenant = "default", as_json: _Json = False) -> None:
    """End all that a user has, at once; `unlock` lets them in again."""
    from platform_core.security.service.users import disable_user

    security, owner = opened(tenant)
    _show(disable_user(security, owner.id, user), as_json=as_json)


@app.command()
def unlock(user: _User, tenant: _Tenant = "default", as_json: _Json = False) -> None:
    """Forget failed logins, and let a locked or disabled user in again."""
    from platform_core.security.service.users import unlock_user

    security, owner = opened(tenant)
    _show(unlock_user(security, owner.id, user), as_json=as_json)


@app.command("set-role")
def set_role(
    user: _User,
    roles: Annotated[list[str], typer.Argument(help="Exactly these: admin, manager, analyst, operator, ...")],
    tenant: _Tenant = "default",
    as_json: _Json = False,
) -> None:
    """Give a user exactly these roles; access tokens with the former ones are over."""
    from platform_core.security.service.users import set_roles

    wanted = [role_of(word) for word in roles]
    security, owner = opened(tenant)
    _show(set_roles(security, owner.id, user, wanted), as_json=as_json)


@app.command("set-lines")
def set_lines(
    user: _User,
    lines: Annotated[list[str] | None, typer.Argument(help="Codes of the lines that the user sees.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All lines, also those that are to come.")] = False,
    none: Annotated[bool, typer.Option("--none", help="No line at all.")] = False,
    tenant: _Tenant = "default",
    as_json: _Json = False,
) -> None:
    """Limit a user to lines."""
    from platform_core.security.service import users

    if bool(lines) + every + none != 1:
        raise typer.BadParameter("name lines, or --all, or --none.")
    security, owner = opened(tenant)
    _show(users.set_lines(security, owner.id, user, None if every else lines or []), as_json=as_json)


def _invite(new: "NewUser", slug: str, *, as_json: bool) -> None:
    from platform_core.security.mail import open_mailer
    from platform_core.security.service.links import invite

    settings = Settings()
    mailer = open_mailer(settings) if settings.smtp_host else None
    security, owner = opened(slug)
    invited = invite(security, owner.id, new, mailer)
    link = None if mailer else invited.link.value
    if as_json:
        told = asdict(invited.user) | {"link": link}
        typer.echo(json.dumps(told, ensure_ascii=False, default=str))
        return
    _show(invited.user, as_json=False)
    hours = settings.auth_invitation_hours
    typer.echo(f"Good once, for {hours} hours: {link}" if link else f"A link was mailed; it is good for {hours} hours.")


def _show(user: "User", *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(asdict(user), ensure_ascii=False, default=str))
        return
    more = f" + {', '.join(user.permissions)}" if user.permissions else ""
    last = f"{user.last_login_at:%Y-%m-%d %H:%M} UTC" if user.last_login_at else "never"
    roles = ", ".join(user.roles) or "no role"
    typer.echo(f"{user.email:<32} {user.status:<9} {roles}{more}; {lines_shown(user.line_access)}; last login {last}")
