"""`takt user`, `takt apikey` and `takt auth`: the first administrator comes of them, and no password is an argument."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

import pytest

from platform_core.security.authentication import Authenticator
from platform_core.security.context import open_security
from platform_core.security.contracts import Secret
from platform_core.security.errors import LoginFailedError, UnauthorizedError
from platform_core.security.permissions import Permission, Role
from platform_core.security.service.links import accept_invitation
from platform_core.security.service.login import Credentials, login, verify_login
from platform_core.security.service.users import find_user
from platform_core.settings import Settings
from platform_core.tenants.contracts import Tenant
from platform_core.warehouse.connection import Warehouse

PASSWORD = "correct horse battery 1"


@dataclass(frozen=True)
class Takt:
    """The command as processes of their own, on the test's database."""

    settings: Settings
    warehouse: Warehouse
    tenant: Tenant

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead there."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("TAKT_", "PG"))}
        urls = {
            name: getattr(self.settings, name) for name in ("database_url", "api_database_url", "dagster_database_url")
        }
        return (
            inherited
            | {f"TAKT_{name.upper()}": str(url) for name, url in urls.items()}
            | {"TAKT_HOME": str(self.settings.home)}
        )

    def run(self, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        """What a command does when something else than a terminal is its standard input."""
        command = [sys.executable, "-m", "platform_cli.main", *arguments]
        return subprocess.run(
            command, env=self.environment, input=typed, capture_output=True, text=True, timeout=120, check=False
        )

    def says(self, *arguments: str, typed: str = "") -> str:
        """The output of a command that succeeds."""
        done = self.run(*arguments, typed=typed)
        assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def json(self, *arguments: str, typed: str = "") -> Any:
        """The same as JSON."""
        return json.loads(self.says(*arguments, "--json", typed=typed))

    def on_a_terminal(self, *arguments: str, typed: str) -> tuple[int, str]:
        """Exit code and what a person sees who types that."""
        mine, its = os.openpty()
        command = [sys.executable, "-m", "platform_cli.main", *arguments]
        process = subprocess.Popen(
            command, env=self.environment, stdin=its, stdout=its, stderr=its, start_new_session=True
        )
        os.close(its)
        seen, deadline = b"", time.monotonic() + 120
        for line in typed.splitlines(keepends=True):
            asked = seen.count(b": ")
            while seen.count(b": ") == asked and time.monotonic() < deadline:
                seen += os.read(mine, 1024)
            time.sleep(0.3)  # the terminal stops echoing just after the question
            os.write(mine, line.encode())
        while time.monotonic() < deadline:
            try:
                more = os.read(mine, 1024)
            except OSError:  # the other end is closed
                break
            if not more:
                break
            seen += more
        code = process.wait(timeout=60)
        os.close(mine)
        return code, seen.decode()


@pytest.fixture
def takt(settings: Settings, warehouse: Warehouse, tenant: Tenant) -> Takt:
    return Takt(settings, warehouse, tenant)


def test_the_first_administrator_is_made_with_a_password_from_standard_input(takt: Takt) -> None:
    refused = takt.run("user", "create", "boss@plant.example", "--admin")
    assert refused.returncode == 2
    assert "standard input" in refused.stderr
    weak = takt.run("user", "create", "boss@plant.example", "--admin", typed="admin\n")
    assert weak.returncode == 1
    assert weak.stderr.startswith("ERR_AUTH_PASSWORD_WEAK")
    made = takt.json("user", "create", "boss@plant.example", "--admin", typed=f"{PASSWORD}\nmore\n")
    assert (made["roles"], made["status"]) == (["admin"], "active")
    security = open_security(takt.settings, takt.warehouse)
    tokens = login(security, Credentials("default", "boss@plant.example", Secret(PASSWORD)))
    assert Permission.USER_WRITE in Authenticator(security).authenticate_bearer(tokens.access_token).permissions
    assert "--password" not in takt.says("user", "create", "--help")


def test_on_a_terminal_the_password_is_asked_for_twice_and_not_shown(takt: Takt) -> None:
    code, seen = takt.on_a_terminal(
        "user", "create", "boss@plant.example", "--admin", typed=f"{PASSWORD}\n{PASSWORD}\n"
    )
    assert code == 0, seen
    assert PASSWORD not in seen
    security = open_security(takt.settings, takt.warehouse)
    assert verify_login(security, Credentials("default", "boss@plant.example", Secret(PASSWORD))).roles == (Role.ADMIN,)


def test_an_invited_administrator_gets_a_link_and_nobody_a_password(takt: Takt) -> None:
    said = takt.says("user", "create", "boss@plant.example", "--admin", "--invite")
    token = Secret(said.split("#token=")[1].split()[0])
    security = open_security(takt.settings, takt.warehouse)
    assert not find_user(security, takt.tenant.id, "boss@plant.example").has_password
    assert accept_invitation(security, token, Secret(PASSWORD)).status == "active"


def test_users_are_listed_changed_disabled_and_unlocked(takt: Takt) -> None:
    takt.says("user", "create", "boss@plant.example", "--admin", typed=PASSWORD)
    takt.says("user", "create", "kim@plant.example", "--role", "viewer", "--line", "L01", typed=PASSWORD)
    shown = takt.says("user", "list")
    assert "kim@plant.example" in shown
    assert "viewer; lines L01; last login never" in shown
    assert takt.json("user", "set-role", "kim@plant.example", "manager")["roles"] == ["manager"]
    assert takt.json("user", "set-lines", "kim@plant.example", "--all")["line_access"] is None
    assert takt.json("user", "disable", "kim@plant.example")["status"] == "inactive"
    security = open_security(takt.settings, takt.warehouse)
    with pytest.raises(LoginFailedError):
        verify_login(security, Credentials("default", "kim@plant.example", Secret(PASSWORD)))
    assert takt.json("user", "unlock", "kim@plant.example")["status"] == "active"
    last = takt.run("user", "disable", "boss@plant.example")
    assert (last.returncode, last.stderr[:19]) == (1, "ERR_AUTH_LAST_ADMIN")
    nobody = takt.run("user", "set-role", "nobody", "viewer")
    assert nobody.stderr.startswith("ERR_AUTH_USER_NOT_FOUND")
    assert takt.run("user", "set-role", "kim@plant.example", "root").returncode == 2


def test_a_key_is_printed_once_works_and_is_revoked(takt: Takt) -> None:
    key = takt.says("apikey", "create", "MES gateway", "--scope", "record:write").strip()
    security = open_security(takt.settings, takt.warehouse)
    assert Authenticator(security).authenticate(key).permissions == {Permission.RECORD_WRITE}
    listed = takt.says("apikey", "list")
    assert "MES gateway: good, until " in listed
    assert key not in listed
    prefix = key.split("_")[1]
    assert takt.json("apikey", "revoke", prefix)["revoked_at"]
    with pytest.raises(UnauthorizedError, match="revoked"):
        Authenticator(security).authenticate(key)
    assert takt.run("apikey", "create", "x", "--scope", "root:write").returncode == 2


def test_an_explanation_names_the_role_and_what_would_help(takt: Takt) -> None:
    takt.says("user", "create", "kim@plant.example", "--role", "manager", typed=PASSWORD)
    assert "by the role manager, which has it from viewer" in takt.says(
        "auth", "explain", "kim@plant.example", "bi:read"
    )
    told = takt.json("auth", "explain", "kim@plant.example", "user:write", "--locale", "ko")
    assert (told["allowed"], told["reason"], told["would_help"]) == (False, "not_granted", ["admin"])
    assert "관리자" in told["sentence"]
    assert takt.run("auth", "explain", "kim@plant.example", "nothing").returncode == 2


def test_programs_providers_and_keys_are_set_from_the_command_line(takt: Takt) -> None:
    made = takt.json("auth", "client", "historian", "--scope", "bi:read")
    assert made["client_id"].startswith("takt-")
    assert len(made["client_secret"]) == 43
    arguments = ("--issuer", "https://login.plant.example", "--client-id", "takt", "--group", "quality=analyst")
    assert "can sign in at" in takt.says("auth", "provider", "idp", *arguments, typed="secret of takt\n")
    assert (takt.settings.home / "tenants" / "default" / "oidc" / "idp.json").stat().st_mode & 0o777 == 0o600
    assert "from now on" in takt.says("auth", "rotate-key")
    assert takt.run("auth", "provider", "idp", *arguments[:4], "--group", "quality", typed="x\n").returncode == 2
