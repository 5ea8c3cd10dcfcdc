"""Whoever reads as the API's role sees the rows of the session's tenant and lines, through every relation there is."""

from collections.abc import Generator, Sequence
from secrets import token_hex

import psycopg
import pytest
from psycopg.sql import SQL, Identifier, Literal

from platform_core.tenants.contracts import Tenant
from platform_core.warehouse.connection import Role, Warehouse, transaction
from platform_core.warehouse.maintenance import ensure_partitions
from tests.conftest import Server
from tests.warehouse.planted import DAY, Relation, loosen, plant, refresh, relations

# What has no tenant: the calendar, the catalogue of checks.
COMMON = {"bi.v_dim_date", "bi.data_quality_rules"}

Seen = dict[str, list[str]]


def _read(connection: psycopg.Connection, every: Sequence[Relation]) -> Seen:
    """The rows of each relation that the session may read, as text."""
    seen: Seen = {}
    for relation in every:
        try:
            with connection.transaction():
                rows = connection.execute(SQL("select row::text from {} as row").format(relation.identifier)).fetchall()
        except psycopg.errors.InsufficientPrivilege:
            continue
        seen[relation.name] = sorted(text for (text,) in rows)
    return seen


def _as_api(warehouse: Warehouse, tenant: Tenant | None, lines: list[str] | None = None) -> Seen:
    with transaction(warehouse) as connection:
        every = relations(connection)
    with transaction(warehouse, role=Role.API, tenant=tenant.id if tenant else None, lines=lines) as connection:
        return _read(connection, every)


@pytest.fixture
def planted(warehouse: Warehouse, tenant: Tenant, other_tenant: Tenant) -> tuple[Warehouse, Seen]:
    """The warehouse with rows of both tenants everywhere, and what the first one saw before the second had any."""
    with transaction(warehouse) as connection:
        loosen(connection)
        for relation in relations(connection):
            if relation.kind == "p" and relation.name != "core.record_identity":
                ensure_partitions(connection, relation.name, DAY, DAY)
        for line in ("L01", "L02", None):
            plant(connection, tenant, line)
        refresh(connection)
    alone = _as_api(warehouse, tenant)
    with transaction(warehouse) as connection:
        for line in ("L01", "L02", None):
            plant(connection, other_tenant, line)
        refresh(connection)
    return warehouse, alone


def test_another_tenants_rows_change_nothing_that_a_tenant_sees(
    planted: tuple[Warehouse, Seen], tenant: Tenant, other_tenant: Tenant
) -> None:
    warehouse, alone = planted
    assert _as_api(warehouse, tenant) == alone
    other = _as_api(warehouse, other_tenant)
    for name, rows in alone.items():
        if name not in COMMON:
            assert not set(rows) & set(other[name]), name
            assert not any(str(other_tenant.id) in row for row in rows), name


def test_the_comparison_is_not_empty(planted: tuple[Warehouse, Seen]) -> None:
    warehouse, alone = planted
    with transaction(warehouse) as connection:
        every = {relation.name: relation for relation in relations(connection)}
    readers = {name for name, relation in every.items() if relation.kind == "v" and name.startswith("bi.v_")}
    assert {name for name in readers - COMMON if not alone.get(name)} == set()
    tables = {"core.erp_mes_data", "core.rejected_record", "core.load", "core.tenants", "bi.data_quality_checks"}
    assert {name for name in tables if not alone.get(name)} == set()


@pytest.mark.parametrize(
    "hole",
    [
        "alter table core.load disable row level security",
        "grant select on bi.mv_oee_daily to takt_api",
        "grant select on bi.fact_daily_production to takt_api; drop policy tenant on bi.fact_daily_production;"
        "create policy tenant on bi.fact_daily_production to takt_api using (true)",
    ],
)
def test_the_comparison_finds_a_hole(planted: tuple[Warehouse, Seen], tenant: Tenant, hole: str) -> None:
    warehouse, alone = planted
    with transaction(warehouse) as connection:
        connection.execute(hole)  # type: ignore[arg-type]
    assert _as_api(warehouse, tenant) != alone


def test_without_a_tenant_there_is_nothing_to_see(planted: tuple[Warehouse, Seen]) -> None:
    warehouse, _ = planted
    assert {name for name, rows in _as_api(warehouse, None).items() if rows} <= COMMON


def test_what_lies_beneath_the_reader_views_cannot_be_read(planted: tuple[Warehouse, Seen]) -> None:
    warehouse, alone = planted
    with transaction(warehouse) as connection:
        every = relations(connection)
    for relation in every:
        if relation.kind == "m" or relation.is_partition or relation.name.startswith(("staging.", "scratch.")):
            assert relation.name not in alone, relation.name
        elif relation.name.startswith("bi.") and relation.kind in ("r", "p"):
            assert relation.name not in alone or relation.name.startswith("bi.data_quality_"), relation.name


def test_every_table_that_the_api_reads_and_that_has_tenants_has_row_security(
    planted: tuple[Warehouse, Seen],
) -> None:
    warehouse, alone = planted
    with transaction(warehouse) as connection:
        unbound = connection.execute(
            "select c.oid::regclass::text from pg_class c join pg_attribute a on a.attrelid = c.oid"
            " where a.attname = 'tenant_id' and c.relkind in ('r', 'p') and not c.relrowsecurity"
            " and c.relnamespace::regnamespace::text in ('core', 'bi', 'audit')"
        ).fetchall()
    assert {name for (name,) in unbound} & alone.keys() == set()


def test_the_api_may_change_nothing_and_make_nothing(planted: tuple[Warehouse, Seen]) -> None:
    warehouse, _ = planted
    with transaction(warehouse) as connection:
        every = relations(connection)
    with transaction(warehouse, role=Role.API) as connection:
        for relation in every:
            may = connection.execute(
                "select has_table_privilege(%(name)s, 'insert, update, delete, truncate, references, trigger')",
                {"name": relation.name},
            ).fetchone()
            assert may == (False,), relation.name
        for schema in ("core", "staging", "bi", "audit", "scratch", "public"):
            may = connection.execute("select has_schema_privilege(%(name)s, 'create')", {"name": schema}).fetchone()
            assert may == (False,), schema


def test_the_api_runs_no_function_of_the_owners_but_those_that_tell_who_it_is(warehouse: Warehouse) -> None:
    with transaction(warehouse, role=Role.API) as connection:
        allowed = connection.execute(
            "select p.oid::regproc::text from pg_proc p join pg_namespace n on n.oid = p.pronamespace"
            " where n.nspname !~ '^pg_|^information_schema$' and p.prosecdef"
            " and has_function_privilege(p.oid, 'execute') and has_schema_privilege(n.oid, 'usage') order by 1"
        ).fetchall()
    assert allowed == [("core.current_tenant",), ("core.visible_lines",)]


def test_a_session_limited_to_a_line_sees_no_row_of_another_line(
    planted: tuple[Warehouse, Seen], tenant: Tenant
) -> None:
    warehouse, alone = planted
    limited = _as_api(warehouse, tenant, ["L01"])
    showing = {name for name, rows in limited.items() for row in rows if "L02" in row}
    # The planted texts tell the line in every table; these have none of their own, so that they stay visible.
    without_lines = {name for name in showing if not _has_lines(warehouse, name)}
    assert showing - without_lines == set()
    assert limited.keys() == alone.keys()
    assert any("L01" in row for row in limited["core.erp_mes_data"])
    assert any("L01" in row for row in limited["bi.v_fact_daily_production"])


def _has_lines(warehouse: Warehouse, name: str) -> bool:
    with transaction(warehouse) as connection:
        row = connection.execute(
            "select exists (select from pg_attribute where attrelid = %(name)s::regclass"
            " and attname in ('line_code', 'raw_data', 'original', 'sample_failed_rows'))",
            {"name": name},
        ).fetchone()
    return bool(row and row[0])


def test_rows_without_a_line_are_hidden_from_limited_sessions_except_inventory_and_orders(
    planted: tuple[Warehouse, Seen], tenant: Tenant
) -> None:
    warehouse, _ = planted
    query = "select record_type from core.erp_mes_data where line_code is null order by 1"
    with transaction(warehouse, role=Role.API, tenant=tenant.id) as connection:
        assert connection.execute(query).fetchall() == [("inventory",), ("order",), ("work_order",)]
    with transaction(warehouse, role=Role.API, tenant=tenant.id, lines=["L01"]) as connection:
        assert connection.execute(query).fetchall() == [("inventory",), ("order",)]
    assert _as_api(warehouse, tenant, ["L01"])["bi.v_fact_inventory_snapshot"]
    assert _as_api(warehouse, tenant, ["L01"])["bi.v_fact_order_daily"]


def test_whole_source_rows_are_hidden_from_limited_sessions(planted: tuple[Warehouse, Seen], tenant: Tenant) -> None:
    warehouse, alone = planted
    limited = _as_api(warehouse, tenant, ["L01"])
    for name in ("core.rejected_record", "core.record_identity", "bi.data_quality_checks"):
        assert alone[name]
        assert limited[name] == []


def test_no_line_is_not_every_line(planted: tuple[Warehouse, Seen], tenant: Tenant) -> None:
    warehouse, _ = planted
    limited = _as_api(warehouse, tenant, [])
    assert limited["bi.v_fact_daily_production"] == []
    assert all("L0" not in row for row in limited["core.erp_mes_data"])


@pytest.fixture
def bi_login(server: Server, planted: tuple[Warehouse, Seen]) -> Generator[tuple[str, str]]:
    """A login for a BI tool, as a member of the API's role: its name and URL."""
    warehouse, _ = planted
    name, password = f"bi_{token_hex(4)}", token_hex(8)
    with psycopg.connect(server.embedded.admin_url, autocommit=True) as connection:
        create = SQL("create role {} login password {} in role takt_api")
        connection.execute(create.format(Identifier(name), Literal(password)))
    try:
        yield name, warehouse.api_url.replace(warehouse.api_url.split("@")[0], f"postgresql://{name}:{password}")
    finally:
        with psycopg.connect(server.embedded.admin_url, autocommit=True) as connection:
            connection.execute(SQL("drop role {}").format(Identifier(name)))


def _assign(warehouse: Warehouse, login: str, tenant: Tenant, lines: list[str] | None) -> list[Relation]:
    with transaction(warehouse) as connection:
        connection.execute(
            "insert into core.bi_login (login, tenant_id, lines) values (%s, %s, %s)", [login, tenant.id, lines]
        )
        return relations(connection)


def test_a_bi_login_cannot_choose_its_tenant(
    planted: tuple[Warehouse, Seen], bi_login: tuple[str, str], tenant: Tenant, other_tenant: Tenant
) -> None:
    warehouse, alone = planted
    login, url = bi_login
    every = _assign(warehouse, login, tenant, None)
    with psycopg.connect(url) as connection:
        assert _read(connection, every) == alone
        for attempt in ("set takt.tenant to {}", "set local takt.tenant to {}"):
            connection.execute(SQL(attempt).format(Literal(str(other_tenant.id))))  # type: ignore[arg-type]
            assert _read(connection, every) == alone
        connection.execute("set role takt_api")
        assert _read(connection, every) == alone
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("set session authorization takt_api")


def test_a_bi_login_cannot_widen_its_lines(
    planted: tuple[Warehouse, Seen], bi_login: tuple[str, str], tenant: Tenant
) -> None:
    warehouse, _ = planted
    login, url = bi_login
    every = _assign(warehouse, login, tenant, ["L01"])
    limited = _as_api(warehouse, tenant, ["L01"])
    with psycopg.connect(url) as connection:
        assert _read(connection, every) == limited
        connection.execute("set takt.lines to '{L02}'")
        assert _read(connection, every) == limited
        connection.execute("set takt.lines to ''")
        assert _read(connection, every) == limited


def test_a_bi_login_whose_row_is_gone_sees_nothing_whatever_it_sets(
    planted: tuple[Warehouse, Seen], bi_login: tuple[str, str], tenant: Tenant
) -> None:
    warehouse, _ = planted
    with transaction(warehouse) as connection:
        every = relations(connection)
    with psycopg.connect(bi_login[1]) as connection:
        connection.execute(SQL("set takt.tenant to {}").format(Literal(str(tenant.id))))
        assert {name for name, rows in _read(connection, every).items() if rows} <= COMMON


def test_who_may_log_in_for_whom_cannot_be_read_or_written(
    planted: tuple[Warehouse, Seen], bi_login: tuple[str, str], tenant: Tenant
) -> None:
    warehouse, _ = planted
    _assign(warehouse, bi_login[0], tenant, None)
    with psycopg.connect(bi_login[1]) as connection:
        for statement in ("select from core.bi_login", "update core.bi_login set lines = null"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                connection.execute(statement)  # type: ignore[arg-type]


def test_a_tenant_does_not_outlive_its_transaction(planted: tuple[Warehouse, Seen], tenant: Tenant) -> None:
    warehouse, _ = planted
    with psycopg.connect(warehouse.api_url) as connection:
        count = "select count(*) from core.erp_mes_data"
        with connection.transaction():
            connection.execute("select set_config('takt.tenant', %s, true)", [str(tenant.id)])
            assert connection.execute(count).fetchone() == (9,)
        assert connection.execute(count).fetchone() == (0,)
