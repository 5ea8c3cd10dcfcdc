"""From the files of a made-up factory to a built warehouse, and the warehouse's rows in the words of truth.json."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from dbt_like_sql.project import Project, load_project
from platform_core.clock import utc_now
from platform_core.ingest.contracts import LoadRequest, LoadResult, SourceRow
from platform_core.ingest.mapping import compile_mapping, find_mapping
from platform_core.ingest.service import Ingest, ingest_file
from platform_core.settings import Settings
from platform_core.tenants.contracts import Tenant
from platform_core.tenants.service import create_tenant
from platform_core.warehouse.connection import Warehouse, transaction
from platform_core.warehouse.contracts import ModelRun
from platform_core.warehouse.dirty import due_dates, due_undated
from platform_core.warehouse.publish import build

Row = dict[str, Any]
Key = tuple[Any, ...]


@cache
def project() -> Project:
    """The shipped models."""
    return load_project()


@dataclass(frozen=True)
class Plants:
    """A database with the factory's tenants."""

    warehouse: Warehouse
    settings: Settings
    tenants: Mapping[str, Tenant]

    def ingest(self, slug: str) -> Ingest:
        """What a load for one tenant needs."""
        return Ingest(self.warehouse, self.settings, project(), self.tenants[slug], utc_now())


def open_plants(warehouse: Warehouse, settings: Settings, manifest: Row) -> Plants:
    """Make the tenants of a manifest."""
    with transaction(warehouse) as connection:
        tenants = {
            each["slug"]: create_tenant(connection, each["slug"], each["display_name"], each["timezone"])
            for each in manifest["tenants"]
        }
    return Plants(warehouse, settings, tenants)


def land_rows(
    plants: Plants, tenant: str, rows: Iterable[Row], mapping_name: str = "takt_mes_work_order"
) -> LoadResult:
    """Map rows as a file would give them, and land them as one load."""
    mapping = find_mapping(plants.settings, tenant, mapping_name)
    map_row = compile_mapping(mapping, timezone=plants.tenants[tenant].timezone)
    request = LoadRequest(
        plants.tenants[tenant].id, mapping.source_system, mapping.record_type, "rows", mapping.name, mapping.digest
    )
    items = [map_row(SourceRow(number, row, str(row))) for number, row in enumerate(rows, 1)]
    return plants.ingest(tenant).land(request, items)


def ingest_manifest(plants: Plants, output: Path, files: Sequence[Row] | None = None) -> dict[str, LoadResult]:
    """Ingest the files of the manifest, or these of it in this order; results by path."""
    if files is None:
        files = list(read_json(output / "manifest.json")["files"])
    results: dict[str, LoadResult] = {}
    for file in files:
        report = ingest_file(plants.ingest(file["tenant"]), output / file["path"], mapping=file["mapping"])
        (load,) = report.loads
        results[file["path"]] = load.result
    return results


def build_dirty(warehouse: Warehouse, now: datetime | None = None, attempts: int = 5) -> list[ModelRun]:
    """Build whatever is dirty, until nothing is."""
    runs: list[ModelRun] = []
    for attempt in range(attempts):
        with transaction(warehouse, read_only=True) as connection:
            dates, others = due_dates(connection, utc_now()), due_undated(connection, utc_now())
        if not dates and not others:
            return runs
        runs += build(warehouse, project(), dates, now=now or utc_now(), run_id=f"test-{attempt}").runs
    pytest.fail(f"still dirty after {attempts} builds")


def read_json(path: Path) -> Row:
    """A JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


# Reading back -------------------------------------------------------------------------------------------------------

# Table of the truth: relation, key columns, and the truth's columns whose names differ there.
RELATIONS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "daily_production": ("bi.fact_daily_production", ("date", "line_code", "product_code", "shift")),
    "daily_defect": ("bi.fact_daily_defect", ("date", "line_code", "product_code", "shift", "defect_type")),
    "oee": ("bi.mv_oee_daily", ("date", "line_code", "shift")),
    "oee_line_day": ("bi.mv_line_performance", ("date", "line_code")),
    "inventory": ("bi.mv_inventory_coverage", ("date", "product_code", "location")),
    "orders": ("bi.fact_order_daily", ("date", "product_code", "customer_code")),
    "equipment": ("bi.fact_equipment_event", ("date", "equipment_code", "event_type")),
}


def query(warehouse: Warehouse, sql: str, *parameters: Any) -> list[Row]:
    """Rows as dicts."""
    with transaction(warehouse, read_only=True) as connection:
        cursor = connection.execute(sql, parameters)  # type: ignore[arg-type]
        names = [column.name for column in cursor.description] if cursor.description else []
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def table(warehouse: Warehouse, name: str) -> dict[Key, Row]:
    """The rows of a truth's table as the warehouse shows them, by tenant slug and key."""
    relation, key = RELATIONS[name]
    rows = query(
        warehouse,
        f"select tenant.slug as tenant, model.* from {relation} as model "
        "inner join core.tenants as tenant on tenant.id = model.tenant_id",
    )
    return {tuple(plain(row[column]) for column in ("tenant", *key)): row for row in rows}


def plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, Decimal):
        return float(value)
    return value.isoformat() if isinstance(value, date) else value


def assert_shows(warehouse: Warehouse, truth: Row, only: Iterable[str] = tuple(RELATIONS)) -> None:
    """Every row of the truth is in the warehouse with every number, and the warehouse has no row more."""
    for name in only:
        _, key = RELATIONS[name]
        expected = {tuple(row[column] for column in ("tenant", *key)): row for row in truth[name]}
        actual = table(warehouse, name)
        missing, extra = sorted(set(expected) - set(actual)), sorted(set(actual) - set(expected))
        assert not missing, f"{name} lacks {len(missing)} rows: {missing[:3]}"
        assert not extra, f"{name} has {len(extra)} rows too many: {extra[:3]}"
        wrong = [
            f"{name} {where} {column}: {plain(actual[where][column])} instead of {value}"
            for where, row in expected.items()
            for column, value in row.items()
            if not _equal(plain(actual[where][column]), value)
        ]
        assert not wrong, f"{len(wrong)} differences, first: " + "; ".join(wrong[:5])


def _equal(actual: Any, expected: Any) -> bool:
    if isinstance(expected, int | float) and actual is not None:
        return actual == pytest.approx(expected, rel=1e-9, abs=1e-9)
    return actual == expected


def snapshot(warehouse: Warehouse) -> dict[str, dict[Key, Row]]:
    """Everything that the tables and marts show, without what names a load or a moment."""
    return {
        name: {
            where: {column: plain(value) for column, value in row.items() if column not in ("tenant_id",)}
            for where, row in table(warehouse, name).items()
        }
        for name in RELATIONS
    }
