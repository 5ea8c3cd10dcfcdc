"""Properties of the whole path on random data: facts equal pandas, and don't depend on order or repetition.

Each sample is a tenant of its own, so that one build, which takes a second or two, proves many.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pydantic import PostgresDsn

from platform_core.settings import Settings
from platform_core.tenants.service import create_tenant
from platform_core.warehouse.connection import Warehouse, transaction
from tests.end_to_end.warehouse_of_factory import Plants, Row, build_dirty, land_rows, plain, query

SEOUL = ZoneInfo("Asia/Seoul")
FIRST = datetime(2025, 6, 2, tzinfo=UTC)
CALENDAR = [
    {"shift_code": "day", "name": "day", "start_time": "06:00", "end_time": "18:00", "shift_order": 1},
    {"shift_code": "night", "name": "night", "start_time": "18:00", "end_time": "06:00", "shift_order": 2},
]
KEY = ["date", "line_code", "product_code", "shift"]
SUMS = ["total_qty", "good_qty", "defect_qty", "rework_qty", "runtime_minutes", "downtime_minutes"]
UNKNOWN = [*SUMS, "cycle_time_avg_sec", "operator_id"]
SAMPLES = 10

Facts = dict[tuple[str, ...], Row]


@st.composite
def _records(draw: st.DrawFn) -> list[Row]:
    """Versions of a few work orders, each with a change time of its own."""
    rows: list[Row] = []
    changes = draw(st.permutations(range(1, 41)))
    for number in range(draw(st.integers(1, 40))):
        start = FIRST + timedelta(minutes=draw(st.integers(0, 4 * 24 * 60)))
        good, defect = draw(st.integers(0, 500)), draw(st.integers(0, 20))
        row: Row = {
            "work_order_id": f"WO-{draw(st.integers(1, 15))}",
            "line_code": draw(st.sampled_from(["L01", "L02"])),
            "product_code": draw(st.sampled_from(["P1", "P2"])),
            "shift": draw(st.sampled_from(["day", "night"])),
            "start_time": start.astimezone(SEOUL).isoformat(),
            "end_time": (start + timedelta(minutes=draw(st.integers(0, 300)))).isoformat(),
            "total_qty": good + defect,
            "good_qty": good,
            "defect_qty": defect,
            "rework_qty": draw(st.one_of(st.none(), st.integers(0, 5))),
            "cycle_time_avg_sec": draw(st.one_of(st.none(), st.integers(100, 3000).map(lambda n: n / 100))),
            "runtime_minutes": draw(st.one_of(st.none(), st.integers(0, 960).map(lambda n: n / 2))),
            "downtime_minutes": draw(st.one_of(st.none(), st.integers(0, 60))),
            "operator_id": draw(st.one_of(st.none(), st.sampled_from(["A", "B"]))),
            "updated_at": (FIRST + timedelta(days=10, minutes=changes[number])).isoformat(),
        }
        rows.append({name: value for name, value in row.items() if value is not None})
    return rows


def _shift_date(row: Row) -> str:
    """The date of the nearest start of the row's shift whose twelve hours hold the time, or end or begin next to it."""
    moment = datetime.fromisoformat(row["start_time"]).astimezone(SEOUL)
    begin_hour = 6 if row["shift"] == "day" else 18
    best = None
    for days in (-1, 0, 1):
        day = moment.date() + timedelta(days=days)
        begin = datetime(day.year, day.month, day.day, begin_hour, tzinfo=SEOUL)
        end = begin + timedelta(hours=12)
        distance = begin - moment if moment < begin else moment - end if moment >= end else timedelta(0)
        rank = (distance, abs(moment - begin))
        if best is None or rank < best[0]:
            best = (rank, day)
    assert best is not None
    return best[1].isoformat()


def _expected(rows: list[Row]) -> Facts:
    """The facts by pandas: the newest version of each work order, grouped and summed, unknowns left out."""
    columns = ["work_order_id", "line_code", "product_code", "shift", "start_time", "updated_at", *UNKNOWN]
    frame: Any = pd.DataFrame(rows).reindex(columns=columns)  # Any: pandas carries no complete types
    frame = frame.sort_values("updated_at").drop_duplicates("work_order_id", keep="last")
    frame["date"] = [_shift_date(row) for row in frame.to_dict("records")]
    for name in UNKNOWN[:-1]:
        frame[name] = pd.to_numeric(frame[name])
    grouped = frame.groupby(KEY)
    facts: Any = grouped[SUMS].sum(min_count=1)
    facts["work_order_count"] = grouped.size()
    facts["operator_count"] = grouped["operator_id"].nunique()
    facts["cycle_time_avg"] = grouped["cycle_time_avg_sec"].mean()
    facts["cycle_time_std"] = grouped["cycle_time_avg_sec"].std()
    facts["operator_count"] = facts["operator_count"].where(facts["operator_count"] > 0)
    return {
        key: {name: None if value != value else value for name, value in row.items()}
        for key, row in facts.to_dict("index").items()
    }


def _facts(warehouse: Warehouse) -> dict[str, Facts]:
    """The facts of each tenant, by slug and key."""
    rows = query(
        warehouse,
        "select tenant.slug, fact.* from bi.fact_daily_production as fact "
        "inner join core.tenants as tenant on tenant.id = fact.tenant_id",
    )
    facts: dict[str, Facts] = {}
    for row in rows:
        key = tuple(plain(row[name]) for name in KEY)
        facts.setdefault(row["slug"], {})[key] = {name: plain(value) for name, value in row.items()}
    return facts


def _make_plants(warehouse: Warehouse, config: Settings, slugs: Iterable[str]) -> Plants:
    with transaction(warehouse) as connection:
        tenants = {slug: create_tenant(connection, slug, slug, "Asia/Seoul") for slug in slugs}
    plants = Plants(warehouse, config, tenants)
    for slug in slugs:
        land_rows(plants, slug, CALENDAR, "takt_shift")
    return plants


@settings(
    max_examples=1,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(data=st.data())
def test_facts_equal_pandas_in_any_order_and_repetition_of_records(
    warehouse: Warehouse, config: Settings, data: st.DataObject
) -> None:
    samples = {number: data.draw(_records()) for number in range(SAMPLES)}
    slugs = [f"{kind}-{number}" for number in samples for kind in ("straight", "mixed")]
    plants = _make_plants(warehouse, config, slugs)
    later: dict[str, list[Row]] = {}
    for number, records in samples.items():
        land_rows(plants, f"straight-{number}", records)
        again = data.draw(st.permutations(records)) + data.draw(st.lists(st.sampled_from(records), max_size=20))
        cut = data.draw(st.integers(0, len(again)))
        land_rows(plants, f"mixed-{number}", again[:cut])
        later[f"mixed-{number}"] = again[cut:]
    build_dirty(warehouse)
    for slug, rows in later.items():
        land_rows(plants, slug, rows)
    build_dirty(warehouse)
    facts = _facts(warehouse)
    for number, records in samples.items():
        expected = _expected(records)
        for slug in (f"straight-{number}", f"mixed-{number}"):
            _assert_same(facts[slug], expected, slug)


def _assert_same(facts: Facts, expected: Facts, slug: str) -> None:
    assert set(facts) == set(expected), slug
    for key, row in expected.items():
        for name, value in row.items():
            wanted = value if value is None else pytest.approx(value, rel=1e-9, abs=1e-6)
            assert facts[key][name] == wanted, (slug, key, name)


@pytest.fixture
def config(warehouse: Warehouse, tmp_path: Path) -> Settings:
    """Like the fixture `settings`, whose name hypothesis needs here."""
    url = PostgresDsn(warehouse.owner_url)
    return Settings(
        home=tmp_path, database_url=url, api_database_url=PostgresDsn(warehouse.api_url), dagster_database_url=url
    )
