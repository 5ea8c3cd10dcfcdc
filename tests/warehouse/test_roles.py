"""`takt init --admin-url` prepares an existing server once, needs little, and says what is missing."""

from collections.abc import Generator
from pathlib import Path
from secrets import token_hex

import psycopg
import pytest
from psycopg.sql import SQL, Identifier, Literal

from platform_core.settings import Settings
from platform_core.warehouse import embedded
from platform_core.warehouse.connection import Role, Warehouse, external_warehouse, open_warehouse, transaction
from platform_core.warehouse.errors import (
    ConnectionSettingsError,
    PrivilegeError,
    ServerVersionError,
    WarehouseUnreachableError,
)
from platform_core.warehouse.migrate import upgrade
from platform_core.warehouse.roles import external_connections, prepare_external, prepare_server
from tests.conftest import FAST
from tests.warehouse.homes import a_home


@pytest.fixture
def existing() -> Generator[embedded.EmbeddedServer]:
    """A server with nothing of ours in it, as somebody else's would be."""
    with a_home() as settings:
        yield embedded.start(settings, overrides=FAST)


def _login(existing: embedded.EmbeddedServer, attributes: str) -> str:
    """The URL of a new login with these attributes."""
    name, password = f"dba_{token_hex(4)}", token_hex(8)
    with psycopg.connect(existing.admin_url, autocommit=True) as connection:
        create = SQL("create role {} login password {} ").format(Identifier(name), Literal(password))
        connection.execute(create + SQL(attributes))  # type: ignore[arg-type]
    return f"postgresql://{name}:{password}@127.0.0.1:{existing.state.port}/postgres"


def test_createrole_and_createdb_are_enough(existing: embedded.EmbeddedServer, tmp_path: Path) -> None:
    admin_url = _login(existing, "createrole createdb")
    made = prepare_external(tmp_path, admin_url, None, None)
    assert made.roles == ("takt_owner", "takt_api")
    assert made.databases == ("takt", "dagster")
    warehouse = open_warehouse(Settings(home=tmp_path, database_url=None))
    upgrade(warehouse)
    with transaction(warehouse, role=Role.API) as connection:
        assert connection.execute("select current_user, current_database()").fetchone() == ("takt_api", "takt")
    with psycopg.connect(warehouse.dagster_url) as connection:
        connection.execute("create table of_dagster ()")


def test_doing_it_again_makes_nothing_and_keeps_the_passwords(
    existing: embedded.EmbeddedServer, tmp_path: Path
) -> None:
    admin_url = _login(existing, "createrole createdb")
    prepare_external(tmp_path, admin_url, None, None)
    settings = Settings(home=tmp_path, database_url=None)
    before = external_warehouse(settings)
    again = prepare_external(tmp_path, admin_url, None, None)
    assert (again.roles, again.databases) == ((), ())
    assert external_warehouse(settings) == before
    open_warehouse(settings)


def test_the_passwords_of_the_given_urls_are_used(existing: embedded.EmbeddedServer, tmp_path: Path) -> None:
    place = f"127.0.0.1:{existing.state.port}/takt"
    owner_url, api_url = f"postgresql://takt_owner:p%40ss@{place}", f"postgresql://takt_api:w%2Frd@{place}"
    prepare_external(tmp_path, existing.admin_url, owner_url, api_url)
    settings = Settings.model_validate({"home": tmp_path, "database_url": owner_url, "api_database_url": api_url})
    warehouse = open_warehouse(settings)
    with transaction(warehouse, role=Role.API) as connection:
        assert connection.execute("select current_user").fetchone() == ("takt_api",)
    assert warehouse.dagster_url.endswith("/dagster")
    assert not (tmp_path / "warehouse.json").exists()


def test_the_owner_and_the_api_have_no_power_over_the_server(existing: embedded.EmbeddedServer, tmp_path: Path) -> None:
    prepare_external(tmp_path, _login(existing, "createrole createdb"), None, None)
    with psycopg.connect(existing.admin_url) as connection:
        powers = connection.execute(
            "select rolname, rolsuper or rolcreatedb or rolbypassrls or rolreplication, rolcreaterole from pg_roles"
            " where rolname in ('takt_owner', 'takt_api') order by rolname"
        ).fetchall()
    assert powers == [("takt_api", False, False), ("takt_owner", False, True)]


def test_the_owner_makes_logins_for_bi_tools_but_never_becomes_the_api(
    existing: embedded.EmbeddedServer, tmp_path: Path
) -> None:
    prepare_external(tmp_path, _login(existing, "createrole createdb"), None, None)
    stored = external_connections(tmp_path) or {}
    with psycopg.connect(stored["owner_url"], autocommit=True) as connection:
        connection.execute("create role bi_kim login password 'change-me' in role takt_api")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("set role takt_api")
        connection.execute("drop role bi_kim")


def test_the_administrator_keeps_no_way_into_the_owner(existing: embedded.EmbeddedServer, tmp_path: Path) -> None:
    admin_url = _login(existing, "createrole createdb")
    prepare_external(tmp_path, admin_url, None, None)
    with psycopg.connect(admin_url) as connection:
        assert connection.execute("select pg_has_role('takt_owner', 'set')").fetchone() == (False,)


def test_strangers_may_not_connect_to_the_databases(existing: embedded.EmbeddedServer, tmp_path: Path) -> None:
    prepare_external(tmp_path, existing.admin_url, None, None)
    stranger = _login(existing, "")
    for database in ("takt", "dagster"):
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(stranger.replace("/postgres", f"/{database}"))


@pytest.mark.parametrize(
    ("attributes", "missing"),
    [("", "CREATEROLE and CREATEDB"), ("createrole", "CREATEDB"), ("createdb", "CREATEROLE")],
)
def test_an_administrator_who_may_too_little_is_told_what_is_missing(
    existing: embedded.EmbeddedServer, attributes: str, missing: str
) -> None:
    with pytest.raises(PrivilegeError, match=f"lacks {missing}\\."):
        prepare_server(_login(existing, attributes), "a", "b")


def test_roles_of_somebody_else_are_not_taken_over(existing: embedded.EmbeddedServer, tmp_path: Path) -> None:
    prepare_external(tmp_path / "first", existing.admin_url, None, None)
    with pytest.raises(ConnectionSettingsError, match="password is not known"):
        prepare_external(tmp_path / "second", existing.admin_url, None, None)
    with psycopg.connect(existing.admin_url, autocommit=True) as connection:
        connection.execute("drop database takt")
    with pytest.raises(PrivilegeError, match="somebody else"):
        prepare_server(_login(existing, "createrole createdb"), "a", "b")


def test_a_database_of_somebody_else_is_not_taken_over(existing: embedded.EmbeddedServer) -> None:
    with psycopg.connect(existing.admin_url, autocommit=True) as connection:
        connection.execute("create database takt")
    with pytest.raises(PrivilegeError, match="belongs to postgres"):
        prepare_server(existing.admin_url, "a", "b")


def test_a_wrong_administrators_password_is_not_repeated_in_the_error(existing: embedded.EmbeddedServer) -> None:
    url = f"postgresql://postgres:my-secret@127.0.0.1:{existing.state.port}/postgres"
    with pytest.raises(WarehouseUnreachableError) as caught:
        prepare_server(url, "a", "b")
    assert "my-secret" not in str(caught.value)


def test_an_owner_url_without_an_api_url_is_refused(warehouse: Warehouse, tmp_path: Path) -> None:
    settings = Settings.model_validate({"home": tmp_path, "database_url": warehouse.owner_url})
    with pytest.raises(ConnectionSettingsError, match="TAKT_API_DATABASE_URL"):
        open_warehouse(settings)


@pytest.mark.parametrize(("number", "refused"), [(150012, True), (160001, False), (180006, False), (190000, True)])
def test_only_postgresql_16_to_18_is_accepted(number: int, refused: bool) -> None:
    from platform_core.warehouse.roles import check_version

    if refused:
        with pytest.raises(ServerVersionError, match=str(number // 10000)):
            check_version(number)
    else:
        check_version(number)
