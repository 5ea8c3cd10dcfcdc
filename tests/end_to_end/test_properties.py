"""Properties of the whole path on random data: facts equal pandas, and don't depend on order or repetition.

Each example holds several plants, so that one build, which takes a second or two, proves many. Examples differ from run
to run; a failing one is printed as a @reproduce_failure line, and `pytest --hypothesis-seed=N` repeats a whole run.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pydantic import PostgresDsn

from platform_core.settings import Settings
from platform_core.tenants.service import create_tenant
from platform_core.warehouse.connection import Warehouse, transaction
from tests.end_to_end.oracles import IDEAL_SECONDS, ORACLES, SEOUL, current
from tests.end_to_end.warehouse_of_factory import Plants, Row, build_dirty, land_rows, plain, query

FIRST = datetime(2025, 6, 2, tzinfo=UTC)
DAYS = 12
CALENDAR = [
    {"shift_code": "day", "name": "day", "start_time": "06:00", "end_time": "18:00", "shift_order": 1},
    {"shift_code": "night", "name": "night", "start_time": "18:00", "end_time": "06:00", "shift_order": 2},
]
PRODUCTS = [
    {"product_code": code, "name": code, "target_cycle_time_sec": IDEAL_SECONDS.get(code)} for code in ("P1", "P2")
]
KEYS: Mapping[str, Sequence[str]] = {
    "takt_mes_work_order": ["work_order_id"],
    "takt_order": ["order_id"],
    "takt_inventory": ["product_code", "location", "snapshot_date"],
}
PLANTS_AT_ONCE = 3
EXAMPLES = 2
BUILDS = 12
"""Stock is read 30 days back: a late one makes later dates dirty, and these again later ones."""
numbers = count()

Records = Mapping[str, list[Row]]
"""By mapping."""


def _maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


def _day(offset: int) -> str:
    return (FIRST + timedelta(days=offset)).date().isoformat()


DAY = st.integers(0, DAYS).map(_day)
STOCK_DAY = st.sampled_from([0, 1, 2, 29, 30, 31]).map(_day)
"""On both sides of the 30 days that the mean usage looks back."""
PRODUCT = st.sampled_from(["P1", "P2"])


@st.composite
def _work_order(draw: st.DrawFn) -> Row:
    start = FIRST + timedelta(minutes=draw(st.integers(0, DAYS * 24 * 60)))
    good, defect = draw(st.integers(0, 500)), draw(st.integers(0, 20))
    scratched = draw(st.integers(0, defect))
    cause = draw(_maybe(st.sampled_from(["dust", "tool"])))
    details: list[Row] = [{"type": "scratch", "qty": scratched, "cost": draw(_maybe(st.integers(0, 9)))}]
    details.append(
        {"type": draw(st.sampled_from(["scratch", "dent"])), "qty": draw(st.integers(0, defect - scratched))}
    )
    return {
        "work_order_id": f"WO-{draw(st.integers(1, 12))}",
        "line_code": draw(st.sampled_from(["L01", "L02"])),
        "product_code": draw(PRODUCT),
        "shift": draw(st.sampled_from(["day", "night"])),
        "start_time": start.astimezone(SEOUL).isoformat(),
        "end_time": (start + timedelta(minutes=draw(st.integers(0, 300)))).isoformat(),
        "total_qty": good + defect,
        "good_qty": good,
        "defect_qty": defect,
        "rework_qty": draw(_maybe(st.integers(0, 5))),
        "defect_details": draw(_maybe(st.just([_known({**each, "root_cause": cause}) for each in details]))),
        "cycle_time_avg_sec": draw(_maybe(st.integers(100, 3000).map(lambda n: n / 100))),
        "runtime_minutes": draw(_maybe(st.integers(0, 960).map(lambda n: n / 2))),
        "downtime_minutes": draw(_maybe(st.integers(0, 60))),
        "operator_id": draw(_maybe(st.sampled_from(["A", "B"]))),
    }


@st.composite
def _order(draw: st.DrawFn) -> Row:
    delivered = draw(_maybe(st.integers(0, 60)))
    return {
        "order_id": f"SO-{draw(st.integers(1, 6))}",
        "customer_code": draw(st.sampled_from(["C1", "C2"])),
        "product_code": draw(PRODUCT),
        "order_qty": draw(st.integers(0, 60)),
        "delivered_qty": delivered,
        "delivered_date": draw(DAY) if delivered else None,
        "delivery_date": draw(DAY),
        "status": draw(st.sampled_from(["open", "closed", "cancelled"])),
    }


@st.composite
def _stock(draw: st.DrawFn) -> Row:
    stock = draw(st.integers(0, 500))
    return {
        "product_code": draw(PRODUCT),
        "location": draw(st.sampled_from(["W1", "W2"])),
        "snapshot_date": draw(STOCK_DAY),
        "stock_qty": stock,
        "reserved_qty": draw(_maybe(st.integers(0, stock))),
        "issue_qty": draw(_maybe(st.integers(0, 50))),
        "avg_daily_usage": draw(_maybe(st.integers(0, 40))),
        "unit_cost": draw(_maybe(st.integers(1, 9))),
    }


def _known(row: Row) -> Row:
    return {name: value for name, value in row.items() if value is not None}


@st.composite
def _records(draw: st.DrawFn) -> Records:
    """Versions of a few records of each kind, each with a change time of its own."""
    kinds = {"takt_mes_work_order": (_work_order(), 20), "takt_order": (_order(), 10), "takt_inventory": (_stock(), 12)}
    made: dict[str, list[Row]] = {}
    for mapping, (strategy, most) in kinds.items():
        rows = draw(st.lists(strategy, min_size=1, max_size=most))
        changes = draw(st.permutations(range(len(rows))))
        made[mapping] = [
            _known(row) | {"updated_at": (FIRST + timedelta(days=30, minutes=change)).isoformat()}
            for row, change in zip(rows, changes, strict=True)
        ]
    return made


def _make_plants(warehouse: Warehouse, config: Settings, slugs: Sequence[str]) -> Plants:
    with transaction(warehouse) as connection:
        tenants = {slug: create_tenant(connection, slug, slug, "Asia/Seoul") for slug in slugs}
    plants = Plants(warehouse, config, tenants)
    for slug in slugs:
        land_rows(plants, slug, CALENDAR, "takt_shift")
        land_rows(plants, slug, [_known(row) for row in PRODUCTS], "takt_product")
    return plants


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking would build for hours
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(data=st.data())
def test_facts_and_marts_equal_pandas_in_any_order_and_repetition_of_records(
    warehouse: Warehouse, config: Settings, data: st.DataObject
) -> None:
    samples = {str(next(numbers)): data.draw(_records()) for _ in range(PLANTS_AT_ONCE)}
    arrivals = {number: {name: _mixed(data, rows) for name, rows in kinds.items()} for number, kinds in samples.items()}
    plants = _make_plants(
        warehouse, config, [f"{kind}-{number}" for number in samples for kind in ("straight", "mixed")]
    )
    for number, kinds in samples.items():
        for mapping, rows in kinds.items():
            land_rows(plants, f"straight-{number}", rows, mapping)
            land_rows(plants, f"mixed-{number}", arrivals[number][mapping][0], mapping)
    build_dirty(warehouse, attempts=BUILDS)
    for number, kinds in arrivals.items():
        for mapping, (_, later) in kinds.items():
            land_rows(plants, f"mixed-{number}", later, mapping)
    build_dirty(warehouse, attempts=BUILDS)
    for relation, (mapping, key, oracle) in ORACLES.items():
        shown = _shown(warehouse, relation, key)
        for number, kinds in samples.items():
            expected = {tuple(row[name] for name in key): row for row in oracle(current(kinds[mapping], KEYS[mapping]))}
            for slug in (f"straight-{number}", f"mixed-{number}"):
                _assert_same(shown.get(slug, {}), expected, f"{relation} {slug}")


def _mixed(data: st.DataObject, rows: list[Row]) -> tuple[list[Row], list[Row]]:
    """The rows in any order, some of them more than once, in two loads."""
    again = data.draw(st.permutations(rows)) + data.draw(st.lists(st.sampled_from(rows), max_size=8))
    cut = data.draw(st.integers(0, len(again)))
    return again[:cut], again[cut:]


def _shown(warehouse: Warehouse, relation: str, key: Sequence[str]) -> dict[str, dict[tuple[Any, ...], Row]]:
    """A relation's rows by tenant slug and key."""
    rows = query(
        warehouse,
        f"select tenant.slug, model.* from {relation} as model "
        "inner join core.tenants as tenant on tenant.id = model.tenant_id",
    )
    shown: dict[str, dict[tuple[Any, ...], Row]] = {}
    for row in rows:
        where = tuple(_utc(row[name]) for name in key)
        shown.setdefault(row["slug"], {})[where] = {name: plain(value) for name, value in row.items()}
    return shown


def _utc(value: Any) -> Any:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else plain(value)


def _assert_same(shown: Mapping[tuple[Any, ...], Row], expected: Mapping[tuple[Any, ...], Row], what: str) -> None:
    assert set(shown) == set(expected), what
    for key, row in expected.items():
        for name, value in row.items():
            if name in ("date", "hour_timestamp"):
                continue
            wanted = pytest.approx(value, rel=1e-9, abs=1e-6) if isinstance(value, int | float) else value
            assert shown[key][name] == wanted, (what, key, name)


@pytest.fixture
def config(warehouse: Warehouse, tmp_path: Path) -> Settings:
    """Like the fixture `settings`, whose name hypothesis needs here."""
    url = PostgresDsn(warehouse.owner_url)
    return Settings(
        home=tmp_path, database_url=url, api_database_url=PostgresDsn(warehouse.api_url), dagster_database_url=url
    )
