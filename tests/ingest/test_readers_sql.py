"""The SQL reader against SQLite and PostgreSQL."""

import sqlite3
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from platform_core.ingest.contracts import MappedRecord, Rejection, SourceRow
from platform_core.ingest.mapping import compile_mapping, load_mapping, reader_options
from platform_core.ingest.mapping.catalogue import SHIPPED
from platform_core.ingest.readers import SourceConfigError, SourceUnavailableError, SqlOptions
from platform_core.ingest.readers.sql import SqlReader
from platform_core.warehouse.connection import Warehouse

ODOO = (Path(__file__).parent / "samples" / "odoo.sql").read_text("utf-8")
Open = Callable[..., SqlReader]


@pytest.fixture(params=["sqlite", "postgresql"])
def odoo(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database with a few of Odoo's tables."""
    if request.param == "sqlite":
        with sqlite3.connect(tmp_path / "odoo.db") as connection:
            connection.executescript(ODOO)
        connection.close()
        return f"sqlite:///{tmp_path / 'odoo.db'}"
    warehouse: Warehouse = request.getfixturevalue("warehouse")
    with psycopg.connect(warehouse.owner_url, autocommit=True) as postgres:
        postgres.execute(ODOO.encode())
    return warehouse.owner_url


def reader(url: str, watermark: str | None = None, **options: Any) -> SqlReader:
    return SqlReader(SqlOptions.model_validate({"type": "sql", "url": url, **options}), watermark=watermark)


def rows(found: SqlReader) -> list[dict[str, Any]]:
    return [dict(row.fields) for row in found.rows() if isinstance(row, SourceRow)]


WORK_ORDER = {
    "work_order_id": "WH/MO/00001/500",
    "line_code": "ASM1",
    "equipment_code": "ASM1",
    "product_code": "FURN_9666",
    "operator_id": "2",
    "status": "completed",
    "start_time": "2025-03-05T00:00:00+00:00",
    "end_time": "2025-03-05T04:30:00+00:00",
    "total_qty": 98,
    "scrap_qty": 3,
    "defect_qty": 3,
    "good_qty": 95,
    "planned_qty": 100,
    "runtime_minutes": 250,
    "downtime_minutes": 20,
    "downtime_reasons": [{"reason": "setup", "minutes": 20}],
}
PRODUCTION = {
    **{name: WORK_ORDER[name] for name in WORK_ORDER if not name.endswith(("minutes", "reasons"))},
    "work_order_id": "WH/MO/00001",
    "line_code": "MO",
}
PRODUCTION.pop("equipment_code")
EVENTS = [
    {"event_id": "900", "equipment_code": "ASM1", "line_code": "ASM1", "event_type": "setup",
     "timestamp": "2025-03-05T00:00:00+00:00", "end_timestamp": "2025-03-05T00:20:00+00:00",
     "message": "Setup and Adjustments"},
    {"event_id": "902", "equipment_code": "ASM1", "line_code": "ASM1", "event_type": "breakdown", "phase": "start",
     "timestamp": "2025-03-05T06:00:00+00:00", "message": "belt torn"},
]  # fmt: skip


WORKCENTERS = [
    {"line_code": "ASM1", "name": "Assembly 1", "is_active": True},
    {"line_code": "Paint shop", "name": "Paint shop", "is_active": False},
]
PRODUCTS = [
    {"product_code": "FURN_9666", "name": "Table", "category": "All / Saleable", "unit": "EA", "is_active": True}
]


@pytest.mark.parametrize(
    ("name", "payloads", "watermark"),
    [
        ("odoo_mrp_workorder", [WORK_ORDER], "2025-03-05 04:31:00"),
        ("odoo_mrp_production", [PRODUCTION], "2025-03-05 04:31:00"),
        ("odoo_mrp_workcenter_productivity", EVENTS, "2025-03-05 06:00:00"),
        ("odoo_mrp_workcenter", WORKCENTERS, "2025-03-02 00:00:00"),
        ("odoo_product", PRODUCTS, "2025-03-03 00:00:00"),
    ],
)
def test_odoo_is_read_by_its_shipped_mapping(odoo: str, name: str, payloads: list[Any], watermark: str) -> None:
    mapping = load_mapping(SHIPPED / f"{name}.yml")
    options = reader_options(mapping)
    assert isinstance(options, SqlOptions)
    found = SqlReader(options.model_copy(update={"url": odoo}))
    map_row = compile_mapping(mapping, timezone="Asia/Seoul")
    records = [map_row(row) for row in found.rows() if isinstance(row, SourceRow)]
    assert [record.payload for record in records if isinstance(record, MappedRecord)] == payloads
    assert all(isinstance(record, MappedRecord) and record.source_version for record in records)
    assert found.watermark == watermark


def test_a_pull_goes_on_from_the_watermark_and_a_little_before(odoo: str) -> None:
    incremental = {"column": "write_date", "overlap_minutes": 0}
    found = reader(odoo, table="mrp_workcenter_productivity", incremental=incremental)
    assert [row["id"] for row in rows(found)] == [900, 901, 902]
    assert found.watermark == "2025-03-05 06:00:00"
    # At the watermark itself a record may have been committed late, so it is read again; landing knows it.
    again = reader(odoo, found.watermark, table="mrp_workcenter_productivity", incremental=incremental)
    assert [row["id"] for row in rows(again)] == [902]
    overlapped = reader(
        odoo, found.watermark, table="mrp_workcenter_productivity", incremental={**incremental, "overlap_minutes": 120}
    )
    assert [row["id"] for row in rows(overlapped)] == [901, 902]


def test_rows_without_a_value_in_the_watermark_column_are_read_each_time(odoo: str) -> None:
    query = "select id, nullif(id, 900) as changed from mrp_workcenter_productivity"
    incremental = {"column": "changed", "type": "number"}
    found = reader(odoo, query=query, incremental=incremental)
    assert sorted(row["id"] for row in rows(found)) == [900, 901, 902]
    assert found.watermark == "902"
    assert sorted(row["id"] for row in rows(reader(odoo, "902", query=query, incremental=incremental))) == [900, 902]


@pytest.mark.parametrize(
    ("dates", "query", "found"),
    [
        ({"column": "date_start"}, None, [900, 901, 902]),
        ({"column": "day", "type": "text", "format": "%Y%m%d"}, "'2025030' || (id - 896)", [901]),
        (
            {"column": "day", "type": "date"},
            "case id when 900 then date('2025-03-05') else date('2025-03-06') end",
            [900],
        ),
    ],
)
def test_dates_are_pulled_whatever_the_watermark(
    odoo: str, dates: dict[str, str], query: str | None, found: list[int]
) -> None:
    what = {"table": "mrp_workcenter_productivity"}
    if query is not None:
        what = {"query": f"select id, write_date, {query} as day from mrp_workcenter_productivity"}
    options = SqlOptions.model_validate(
        {"type": "sql", "url": odoo, "incremental": {"column": "write_date"}, "dates": dates, **what}
    )
    # As `open_source` fills it in: a day more on either side of a time, none of a date.
    margin = timedelta(days=dates.get("type", "timestamp") == "timestamp")
    day = date(2025, 3, 5)
    between = (day - margin, day + margin + timedelta(days=1))
    asked = SqlReader(options.model_copy(update={"incremental": None, "between": between}), watermark="2030-01-01")
    assert sorted(row["id"] for row in rows(asked)) == found
    later = (date(2025, 3, 9), date(2025, 3, 10))
    assert rows(SqlReader(options.model_copy(update={"incremental": None, "between": later}))) == []


def test_a_number_can_be_the_watermark(odoo: str) -> None:
    incremental = {"column": "id", "type": "number", "initial": "901"}
    found = reader(odoo, table="mrp_workcenter_productivity", incremental=incremental)
    assert [row["id"] for row in rows(found)] == [901, 902]
    assert found.watermark == "902"


def test_colons_percents_and_comments_in_a_query_mean_what_they_say(odoo: str) -> None:
    query = "select id, 'at 10:30 :x' as t, 7 % 4 as m from mrp_workcenter where code like 'ASM%' -- the end"
    assert rows(reader(odoo, query=query)) == [{"id": 1, "t": "at 10:30 :x", "m": 3}]
    assert reader(odoo, query=query).headers() == ["id", "t", "m"]


@pytest.mark.parametrize(
    "query",
    [
        "delete from mrp_workcenter",
        "select 1; drop table mrp_workcenter",
        "with gone as (delete from mrp_workcenter returning id) select * from gone",
        "select * into copy from mrp_workcenter",
        "this is no query",
        "",
    ],
)
def test_anything_but_one_select_is_refused(odoo: str, query: str) -> None:
    with pytest.raises(SourceConfigError, match="query"):
        reader(odoo, query=query)


def test_writing_is_impossible_whatever_a_function_does(warehouse: Warehouse) -> None:
    with psycopg.connect(warehouse.owner_url, autocommit=True) as connection:
        connection.execute("create table t (a integer)")
        connection.execute(
            "create function sneak() returns integer language sql as 'insert into t values (1) returning a'"
        )
    with pytest.raises(SourceUnavailableError, match="read-only transaction"):
        rows(reader(warehouse.owner_url, query="select sneak() as a"))


def test_many_rows_are_streamed(warehouse: Warehouse) -> None:
    query = "select generate_series(1, 10000000) as n, repeat('x', 100) as filler"
    found = reader(warehouse.owner_url, query=query, fetch=100)
    several = iter(found.rows())
    assert [next(several).number for _ in range(3)] == [1, 2, 3]
    several.close()  # pyright: ignore[reportAttributeAccessIssue]


def test_types_of_columns_arrive_as_mappings_understand_them(warehouse: Warehouse) -> None:
    query = """select 1.50::numeric as n, '{"a": [1]}'::jsonb as j, '\\x0102'::bytea as b, true as t, null as z,
        'e4b1d0a2-0000-4000-8000-000000000001'::uuid as u, array[1, 2] as a, '7:30'::interval as i"""
    [row] = rows(reader(warehouse.owner_url, query=query))
    assert (str(row["n"]), row["j"], row["b"], row["t"], row["z"], row["a"]) == (
        "1.50", {"a": [1]}, "0102", True, None, [1, 2],
    )  # fmt: skip
    assert row["u"] == "e4b1d0a2-0000-4000-8000-000000000001"
    assert row["i"].total_seconds() == 27000


def test_a_password_shows_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ERP_DB_PASSWORD", "s3cret")
    found = reader("postgresql://erp:${ERP_DB_PASSWORD}@127.0.0.1:1/erp", table="t")
    with pytest.raises(SourceUnavailableError) as caught:
        rows(found)
    assert "s3cret" not in f"{caught.value} {found.name}"
    assert found.name == "127.0.0.1/erp t"


def test_a_database_that_cannot_be_reached_is_away_and_one_that_refuses_a_query_is_not(warehouse: Warehouse) -> None:
    for url, is_away in (("postgresql://erp:x@127.0.0.1:1/erp", True), (warehouse.owner_url, False)):
        with pytest.raises(SourceUnavailableError) as caught:
            rows(reader(url, table="no_such_table"))
        assert caught.value.server_is_away is is_away


def test_text_that_cannot_be_stored_is_a_rejection(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "x.db") as connection:
        connection.execute("create table t (a text)")
        connection.execute("insert into t values (?), ('ok')", ("nul\x00",))
    connection.close()
    found = list(reader(f"sqlite:///{tmp_path / 'x.db'}", table="t").rows())
    assert [type(row) for row in found] == [Rejection, SourceRow]


def test_options_that_make_no_sense_are_refused() -> None:
    for options in ({"url": "sqlite://"}, {"url": "sqlite://", "table": "t", "query": "select 1"}, {"table": "t"}):
        with pytest.raises(SourceConfigError):
            SqlReader(SqlOptions.model_validate({"type": "sql", **options}))
    with pytest.raises(SourceConfigError, match="no address"):
        reader("not a url", table="t")
    with pytest.raises(SourceConfigError, match="no driver"):
        rows(reader("nosuchdb://h/d", table="t"))
