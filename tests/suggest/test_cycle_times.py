"""`takt suggest cycle-times`: what is proposed, on what evidence, and what accepting it changes."""

import csv
import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from dbt_like_sql.project import load_project
from platform_cli.main import app
from platform_core.ingest.contracts import LoadRequest, MappedRecord
from platform_core.ingest.landing import land
from platform_core.ingest.service import Ingest
from platform_core.settings import Settings
from platform_core.suggest.contracts import CycleTimeSuggestion
from platform_core.suggest.errors import NothingToAcceptError
from platform_core.suggest.service import (
    accept_cycle_times,
    accepted_file,
    suggest_cycle_times,
    suggestion_file,
    write_suggestion,
)
from platform_core.tenants.contracts import Tenant
from platform_core.warehouse.connection import Warehouse, transaction
from platform_core.warehouse.publish import materialize

NOW = datetime(2026, 3, 10, 3, 0, tzinfo=UTC)
DAYS = [date(2026, 3, day) for day in range(1, 6)]
PROJECT = load_project()
HISTORY = ("staging.stg_work_order", "bi.dim_product", "bi.dim_cycle_time")
"""What proposals are made from."""


def _order(number: int, line: str, product: str, day: date, cycle_sec: float, qty: int = 100) -> MappedRecord:
    start = datetime(day.year, day.month, day.day, 9, tzinfo=UTC)
    minutes = cycle_sec * qty / 60
    payload = {
        "work_order_id": f"{line}-{product}-{number}",
        "line_code": line,
        "product_code": product,
        "start_time": start.isoformat(),
        "end_time": (start + timedelta(minutes=minutes)).isoformat(),
        "total_qty": qty,
        "good_qty": qty,
        "defect_qty": 0,
        "runtime_minutes": minutes,
        "downtime_minutes": 0,
    }
    return MappedRecord(number, str(payload["work_order_id"]), None, payload, "")


def _master(number: int, key: str, **payload: Any) -> MappedRecord:
    return MappedRecord(number, key, None, payload, "")


class Plant:
    """A tenant with records in it, and everything made from them."""

    def __init__(self, warehouse: Warehouse, settings: Settings, tenant: Tenant) -> None:
        self.warehouse, self.settings, self.tenant = warehouse, settings, tenant
        self.ingest = Ingest(warehouse, settings, PROJECT, tenant, NOW, strict=True)

    def land(self, record_type: str, items: Iterable[MappedRecord]) -> None:
        request = LoadRequest(self.tenant.id, "MES", record_type, "test", "test", "digest", strict=True)
        land(self.warehouse, self.settings, PROJECT, request, items, now=NOW)

    def build(self, *relations: str) -> None:
        for relation in relations or HISTORY:
            assert not materialize(self.warehouse, PROJECT, relation, DAYS, now=NOW, run_id="test").failed

    def suggest(self, **options: int) -> CycleTimeSuggestion:
        with transaction(self.warehouse, read_only=True) as conn:
            return suggest_cycle_times(conn, self.tenant.id, **options)

    def performance(self) -> dict[str, Decimal | None]:
        """Performance of each line on the last day, with the dimensions as they are now."""
        self.build(*HISTORY, "bi.dim_line", "bi.fact_daily_production", "bi.mv_oee_daily")
        query = "select line_code, round(performance, 4) from bi.mv_oee_daily where tenant_id = %s and date = %s"
        with transaction(self.warehouse, read_only=True) as conn:
            return dict(conn.execute(query, [self.tenant.id, DAYS[-1]]).fetchall())


@pytest.fixture
def plant(warehouse: Warehouse, settings: Settings, tenant: Tenant) -> Plant:
    """L01 makes P001, whose 45 s are far too slow; L02 P002 without any; L03 P003 as it should; L04 P009 seldom."""
    plant = Plant(warehouse, settings, tenant)
    plant.land(
        "product",
        [
            _master(1, "P001", product_code="P001", name="One", target_cycle_time_sec=45),
            _master(2, "P002", product_code="P002", name="Two"),
            _master(3, "P003", product_code="P003", name="Three", target_cycle_time_sec=50),
        ],
    )
    orders = []
    for n in range(20):
        orders += [
            _order(n, "L01", "P001", DAYS[n % 5], 18 + n * 0.5),
            _order(n, "L02", "P002", DAYS[n % 5], 30),
            _order(n, "L03", "P003", DAYS[n % 5], 55),
        ]
    orders += [_order(n, "L04", "P009", DAYS[n], 20) for n in range(3)]
    orders += [_order(90, "L02", "P002", DAYS[0], 1, qty=10)]  # ten seconds say nothing
    plant.land("work_order", orders)
    plant.build()
    return plant


def test_best_sustained_cycle_is_proposed_where_none_is_known_or_the_known_one_is_too_slow(plant: Plant) -> None:
    suggestion = plant.suggest()
    proposed = [(p.line_code, p.product_code, p.ideal_cycle_sec, p.reason) for p in suggestion.proposals]
    assert proposed == [
        ("L01", "P001", Decimal("18.950"), "too_slow"),  # 18, 18.5, 19 ...: one in ten is faster
        ("L02", "P002", Decimal("30.000"), "missing"),
    ]
    evidence = suggestion.proposals[0].evidence
    assert (evidence.work_orders, evidence.pieces, evidence.current_cycle_sec) == (20, 2000, 45)
    assert (evidence.first_date, evidence.last_date) == (DAYS[0], DAYS[-1])
    assert evidence.median_cycle_sec == Decimal("22.750")


def test_too_few_work_orders_give_no_proposal_but_are_named(plant: Plant) -> None:
    undecided = plant.suggest().undecided
    assert [(cycle.line_code, cycle.product_code, cycle.work_orders) for cycle in undecided] == [("L04", "P009", 3)]
    assert [p.line_code for p in plant.suggest(min_orders=3).proposals] == ["L01", "L02", "L04"]


def test_history_is_the_tenants_own(plant: Plant, other_tenant: Tenant) -> None:
    other = Plant(plant.warehouse, plant.settings, other_tenant)
    assert other.suggest().proposals == ()
    other.land("work_order", [_order(n, "L01", "P001", DAYS[n % 5], 5, qty=1000) for n in range(20)])
    other.build()
    assert plant.suggest().proposals[0].ideal_cycle_sec == Decimal("18.950")
    assert other.suggest().proposals[0].ideal_cycle_sec == Decimal("5.000")


def test_accepted_values_reach_performance(plant: Plant) -> None:
    assert plant.performance() == {"L01": Decimal("1.8947"), "L02": None, "L03": Decimal("0.9091")}
    path = suggestion_file(plant.settings, plant.tenant.slug)
    write_suggestion(path, plant.suggest())
    report = accept_cycle_times(plant.ingest, path)
    assert report.outcomes.landed == 2
    assert report.dates == tuple(DAYS)
    assert plant.performance() == {"L01": Decimal("0.7979"), "L02": Decimal("1.0000"), "L03": Decimal("0.9091")}
    assert plant.suggest().proposals == ()


def test_what_a_person_changed_is_what_lands_and_stays_with_what_was_accepted_before(plant: Plant) -> None:
    accepted = accepted_file(plant.settings, plant.tenant.slug)
    path = suggestion_file(plant.settings, plant.tenant.slug)
    write_suggestion(path, plant.suggest())
    path.write_text("line_code,product_code,valid_from,ideal_cycle_sec\nL01,P001,,18\nL09,P009,2026-01-01,7\n")
    accept_cycle_times(plant.ingest, path)
    path.write_text("line_code,product_code,valid_from,ideal_cycle_sec\nL01,P001,,17.5\n")
    assert accept_cycle_times(plant.ingest, path).outcomes.corrected == 1
    assert list(csv.DictReader(accepted.read_text().splitlines())) == [
        {"line_code": "L01", "product_code": "P001", "valid_from": "", "ideal_cycle_sec": "17.5"},
        {"line_code": "L09", "product_code": "P009", "valid_from": "2026-01-01", "ideal_cycle_sec": "7"},
    ]


def test_an_older_list_that_is_accepted_again_counts_again(plant: Plant) -> None:
    path = suggestion_file(plant.settings, plant.tenant.slug)
    path.parent.mkdir(parents=True)
    outcomes: list[int] = []
    for hour, seconds in enumerate((18, 17, 18)):
        path.write_text(f"line_code,product_code,valid_from,ideal_cycle_sec\nL01,P001,,{seconds}\n")
        later = replace(plant.ingest, now=NOW + timedelta(hours=hour))
        outcomes.append(accept_cycle_times(later, path).outcomes.corrected)
    assert outcomes == [0, 1, 1]


def test_a_correction_keeps_the_day_from_which_the_value_holds(plant: Plant) -> None:
    plant.land(
        "cycle_time",
        [_master(1, "k", line_code="L01", product_code="P001", valid_from="2026-02-01", ideal_cycle_sec=60)],
    )
    plant.build()
    proposal = plant.suggest().proposals[0]
    assert (proposal.line_code, proposal.valid_from, proposal.evidence.current_cycle_sec) == (
        "L01",
        date(2026, 2, 1),
        60,
    )


def test_a_bad_value_lands_nothing(plant: Plant) -> None:
    path = suggestion_file(plant.settings, plant.tenant.slug)
    path.parent.mkdir(parents=True)
    path.write_text("line_code,product_code,valid_from,ideal_cycle_sec\nL02,P002,,30\nL01,P001,,fast\n")
    report = accept_cycle_times(plant.ingest, path)
    assert [failed.code for failed in report.failed] == ["ERR_INGEST_STRICT"]
    assert not accepted_file(plant.settings, plant.tenant.slug).exists()
    plant.build()
    assert [p.line_code for p in plant.suggest().proposals] == ["L01", "L02"]


def test_nothing_written_is_nothing_to_accept(plant: Plant, tmp_path: Path) -> None:
    with pytest.raises(NothingToAcceptError, match=r"no file of suggestions"):
        accept_cycle_times(plant.ingest, tmp_path / "none.csv")


def test_command_writes_the_file_and_accepts_it(plant: Plant, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TAKT_HOME", str(plant.settings.home))
    monkeypatch.setenv("TAKT_DATABASE_URL", plant.warehouse.owner_url)
    monkeypatch.setenv("TAKT_API_DATABASE_URL", plant.warehouse.api_url)
    monkeypatch.setenv("TAKT_DAGSTER_DATABASE_URL", plant.warehouse.dagster_url)
    run = CliRunner()
    path = tmp_path / "mine.csv"
    said = run.invoke(app, ["suggest", "cycle-times", "--output", str(path)])
    assert said.exit_code == 0, said.output
    assert "L01 P001: 18.95 s (now 45 s; median 22.75 s over 20 work orders, 2026-03-01 to 2026-03-05)" in said.output
    assert "L04 P009: 3 work orders are too few" in said.output
    found = json.loads(run.invoke(app, ["suggest", "cycle-times", "--json"]).output)
    assert [one["reason"] for one in found["proposals"]] == ["too_slow", "missing"]
    accepted = run.invoke(app, ["suggest", "cycle-times", "--output", str(path), "--accept"])
    assert accepted.exit_code == 0, accepted.output
    assert "2 new cycle times" in accepted.output
