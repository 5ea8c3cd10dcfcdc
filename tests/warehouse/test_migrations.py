"""Migrations go up and down, once, whoever runs them at the same time."""

import os
import subprocess
import sys
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from secrets import token_hex

import psycopg
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from platform_core.settings import Settings
from platform_core.tenants.service import list_tenants
from platform_core.warehouse import migrate
from platform_core.warehouse.connection import Warehouse, transaction
from platform_core.warehouse.errors import MigrationError
from platform_core.warehouse.setup import prepare
from tests.conftest import Server

# Everything that a migration may make, with its text where it has one, so that up, down and up again must agree.
CATALOGUE = """
    select 'schema', nspname::text, nspacl::text from pg_namespace where nspname !~ '^pg_|^information_schema$'
    union all
    select 'relation', c.oid::regclass::text, c.relkind::text || coalesce(c.relacl::text, '') || c.relrowsecurity
    from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname !~ '^pg_|^information_schema$'
    union all
    select 'column', attrelid::regclass::text || '.' || attname, format_type(atttypid, atttypmod) || attnotnull
    from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
    where n.nspname !~ '^pg_|^information_schema$' and attnum > 0 and not attisdropped
    union all
    select 'function', p.oid::regprocedure::text, pg_get_functiondef(p.oid) || coalesce(p.proacl::text, '')
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname in ('core', 'bi', 'audit')
    union all
    select 'policy', polrelid::regclass::text || '.' || polname, pg_get_expr(polqual, polrelid) from pg_policy
    union all
    select 'constraint', conrelid::regclass::text || '.' || conname, pg_get_constraintdef(oid) from pg_constraint
    where connamespace::regnamespace::text in ('core', 'bi', 'audit')
    union all
    select 'default privilege', defaclrole::regrole::text, defaclacl::text from pg_default_acl
    order by 1, 2, 3
"""


@pytest.fixture
def empty(server: Server) -> Generator[Warehouse]:
    """A database in which no migration has run."""
    name = f"empty_{token_hex(6)}"
    server.create_empty(name)
    try:
        yield server.warehouse(name, name)
    finally:
        server.drop(name)


def _catalogue(warehouse: Warehouse) -> list[tuple[str, ...]]:
    with transaction(warehouse) as connection:
        return connection.execute(CATALOGUE).fetchall()


def test_up_down_and_up_again_end_where_they_were(empty: Warehouse) -> None:
    assert migrate.current(empty) is None
    before = _catalogue(empty)
    assert migrate.upgrade(empty)
    assert migrate.current(empty) == migrate.head()
    after = _catalogue(empty)
    migrate.downgrade(empty, "base")
    left = [row for row in _catalogue(empty) if not row[1].startswith("takt_revision")]
    assert left == before
    assert migrate.upgrade(empty)
    assert _catalogue(empty) == after


def test_going_down_keeps_the_roles(empty: Warehouse) -> None:
    migrate.upgrade(empty)
    migrate.downgrade(empty, "base")
    with transaction(empty) as connection:
        roles = connection.execute("select rolname from pg_roles where rolname like 'takt%' order by 1").fetchall()
    assert roles == [("takt_api",), ("takt_owner",)]


def test_going_up_twice_changes_nothing(empty: Warehouse) -> None:
    assert migrate.upgrade(empty)
    assert not migrate.upgrade(empty)


def test_several_that_go_up_at_once_wait_for_one_another(empty: Warehouse) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: migrate.upgrade(empty), range(4)))
    assert migrate.current(empty) == migrate.head()


def test_a_database_of_a_newer_takt_is_left_alone(empty: Warehouse) -> None:
    migrate.upgrade(empty)
    with transaction(empty) as connection:
        connection.execute("update public.takt_revision set version_num = '9999'")
    with pytest.raises(MigrationError, match="9999"):
        migrate.upgrade(empty)


def test_a_migration_that_fails_leaves_the_database_as_it_was(empty: Warehouse) -> None:
    with transaction(empty) as connection:
        connection.execute("create schema staging")
    before = _catalogue(empty)
    with pytest.raises(MigrationError, match=r'schema "staging" already exists'):
        migrate.upgrade(empty)
    assert _catalogue(empty) == before
    assert migrate.current(empty) is None


def test_the_head_read_from_file_names_is_alembics(empty: Warehouse) -> None:
    config = Config()
    config.set_main_option("script_location", "platform_core:warehouse/migrations")
    assert ScriptDirectory.from_config(config).get_heads() == [migrate.head()]


def test_looking_whether_migrations_are_due_does_not_load_alembic(settings: Settings) -> None:
    code = "import sys; from platform_core.settings import Settings;"
    code += "from platform_core.warehouse import migrate, connection;"
    code += "migrate.upgrade(connection.open_warehouse(Settings())); sys.exit('alembic' in sys.modules)"
    environment = dict(os.environ) | {
        "TAKT_HOME": str(settings.home),
        "TAKT_DATABASE_URL": str(settings.database_url),
        "TAKT_API_DATABASE_URL": str(settings.api_database_url),
    }
    assert subprocess.run([sys.executable, "-c", code], env=environment, timeout=60).returncode == 0


def test_preparing_twice_gives_the_same_warehouse_with_the_default_tenant(settings: Settings) -> None:
    warehouse = prepare(settings)
    assert prepare(settings) == warehouse
    with transaction(warehouse) as connection:
        (tenant,) = list_tenants(connection)
    assert (tenant.slug, tenant.timezone) == ("default", "Asia/Seoul")


def test_the_owner_reads_what_it_owns_with_row_security_on(warehouse: Warehouse) -> None:
    with psycopg.connect(warehouse.owner_url) as connection:
        assert connection.execute("select count(*) from core.tenants").fetchone() == (0,)
