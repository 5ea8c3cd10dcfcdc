"""`takt auth`."""

import json
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated

import typer

from platform_cli.identity import asked_secret, opened, permission_of, role_of
from platform_core.settings import Settings

app = typer.Typer(help="Explain permissions; keys, programs and providers of sign-in.", no_args_is_help=True)

_Tenant = Annotated[str, typer.Option(help="Slug of the tenant.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def explain(
    user: Annotated[str, typer.Argument(metavar="USER", help="E-mail, username or id.")],
    permission: Annotated[str, typer.Argument(help="Such as bi:read.")],
    locale: Annotated[str, typer.Option(help="ko or en.")] = "en",
    tenant: _Tenant = "default",
    as_json: _Json = False,
) -> None:
    """Say whether a user may do something, and because of what."""
    from platform_core.security.engine import sentence
    from platform_core.security.service import users

    asked = permission_of(permission)
    security, owner = opened(tenant)
    decision = users.explain(security, owner.id, user, asked)
    said = sentence(decision, locale)
    typer.echo(json.dumps(asdict(decision) | {"sentence": said}, ensure_ascii=False) if as_json else said)


@app.command("rotate-key")
def rotate_key() -> None:
    """Sign with a new key from now on; tokens of the former one stay good until their time is over."""
    security, _ = opened("default")
    made = security.keys.rotate(security.clock(), security.policy.access + timedelta(minutes=1))
    typer.echo(f"Tokens are signed with the key {made.kid} from now on.")


@app.command()
def client(
    name: Annotated[str, typer.Argument(help="What program it is.")],
    redirect_uri: Annotated[list[str] | None, typer.Option(help="Where people come back to; repeatable.")] = None,
    scope: Annotated[list[str] | None, typer.Option(help="A permission that it may have; repeatable.")] = None,
    public: Annotated[bool, typer.Option("--public", help="No secret: in a browser or on a desktop.")] = False,
    line: Annotated[list[str] | None, typer.Option(help="See this line only; repeatable.")] = None,
    tenant: _Tenant = "default",
    as_json: _Json = False,
) -> None:
    """Register a program that asks for tokens by OAuth2; its secret is shown this once."""
    from platform_core.security.contracts import NewOAuthClient
    from platform_core.security.service.machines import create_client

    scopes = frozenset(permission_of(word) for word in scope or ())
    lines = tuple(line) if line else None
    security, owner = opened(tenant)
    new = NewOAuthClient(name, tuple(redirect_uri or ()), scopes, is_public=public, line_access=lines)
    made, secret = create_client(security, owner.id, new)
    told = {"client_id": made.client_id, "client_secret": secret.value if secret else None}
    if as_json:
        typer.echo(json.dumps(told))
        return
    for key, value in told.items():
        if value is not None:
            typer.echo(f"{key} {value}")


@app.command()
def provider(
    name: Annotated[str, typer.Argument(help="Short name, in addresses.")],
    issuer: Annotated[str, typer.Option(help="https://..., as its discovery document says.")],
    client_id: Annotated[str, typer.Option(help="Who Takt is there.")],
    group: Annotated[list[str] | None, typer.Option(help="GROUP=ROLE; repeatable.")] = None,
    default_role: Annotated[list[str] | None, typer.Option(help="Role of somebody in no such group.")] = None,
    groups_claim: Annotated[str, typer.Option(help="Claim that lists groups; dots lead deeper.")] = "groups",
    link_by_email: Annotated[bool, typer.Option("--link-by-email", help="Believe its verified e-mails.")] = False,
    display_name: Annotated[str | None, typer.Option(help="What the login page calls it.")] = None,
    tenant: _Tenant = "default",
) -> None:
    """Let people sign in at an OpenID Connect provider; the client's secret is asked for or read."""
    import httpx

    from platform_core.security.service.sign_in import NewProvider, SignIn, put_provider

    roles: dict[str, list[str]] = {}
    for each in group or ():
        named, equals, word = each.rpartition("=")
        if not equals:
            raise typer.BadParameter("--group is GROUP=ROLE.")
        roles.setdefault(named, []).append(word)
    new = NewProvider(
        name=name,
        issuer=issuer,
        client_id=client_id,
        client_secret=asked_secret("Secret of the client"),
        display_name=display_name,
        groups_claim=groups_claim,
        group_roles={named: [role_of(word) for word in words] for named, words in roles.items()},
        default_roles=frozenset(role_of(word) for word in default_role or ()),
        link_by_email=link_by_email,
    )
    security, owner = opened(tenant)
    with httpx.Client(timeout=10) as http:
        put_provider(SignIn(security, http, Settings()), owner.id, owner.slug, new)
    typer.echo(f"People of {owner.slug} can sign in at {issuer}.")
