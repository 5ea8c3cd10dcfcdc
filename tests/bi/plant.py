"""Published facts put in by hand: rows, their state of publication, and refreshed marts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from psycopg.sql import SQL, Identifier, Placeholder

from dbt_like_sql.semantics.loading import packaged_semantics
from dbt_like_sql.semantics.model import SemanticModel
from platform_core.bi.contracts import Answer, Request
from platform_core.bi.drill import DrilledFact, drill
from platform_core.bi.service import Asker, answer
from platform_core.tenants.contracts import Tenant
from platform_core.tenants.service import create_tenant
from platform_core.warehouse.connection import Warehouse, transaction
from platform_core.warehouse.store import partitions

NOW = datetime(2026, 6, 2, 3, tzinfo=UTC)
PRODUCTION, DEFECT, HOURLY = "bi.fact_daily_production", "bi.fact_daily_defect", "bi.fact_hourly_production"
EVENT, STOCK, ORDER = "bi.fact_equipment_event", "bi.fact_inventory_snapshot", "bi.fact_order_daily"
FACTS = (PRODUCTION, DEFECT, HOURLY, EVENT, STOCK, ORDER)
MARTS = ("bi.mv_oee_daily", "bi.mv_line_performance", "bi.mv_defect_trend", "bi.mv_inventory_coverage")
UNDATED = date(1970, 1, 1)


def made(day: date, line: str, product: str, shift: str, **more: Any) -> dict[str, Any]:
    """A row of daily production with sensible values; `more` wins."""
    row: dict[str, Any] = {
        "date": day, "line_code": line, "product_code": product, "shift": shift, "total_qty": 100, "good_qty": 90,
        "defect_qty": 10, "runtime_minutes": 60, "downtime_minutes": 20, "timed_qty": 100, "target_cycle_time": 30,
        "work_order_count": 2,
    }  # fmt: skip
    return {**row, **more}


@dataclass
class BiPlant:
    """A warehouse with two tenants whose facts a test puts in."""

    warehouse: Warehouse
    tenant: Tenant
    other: Tenant
    model: SemanticModel = field(default_factory=packaged_semantics, repr=False)

    def put(self, relation: str, rows: Iterable[dict[str, Any]], tenant: Tenant | None = None) -> None:
        """Insert rows of a tenant."""
        listed = [{"tenant_id": (tenant or self.tenant).id, **row} for row in rows]
        spec = self.model.project.models[relation].spec
        with transaction(self.warehouse) as conn:
            if listed and spec.partition_by:
                days = [row["date"] for row in listed]
                partitions.ensure(conn, relation, min(days), max(days), spec.partition_by)
            names = sorted({name for row in listed for name in row})
            query = SQL("insert into {} ({}) values ({})").format(
                Identifier(*relation.split(".")),
                SQL(", ").join(map(Identifier, names)),
                SQL(", ").join(map(Placeholder, names)),
            )
            conn.cursor().executemany(query, [{name: row.get(name) for name in names} for row in listed])

    def clear(self) -> None:
        """Empty every fact and what is known of it."""
        with transaction(self.warehouse) as conn:
            for relation in (*FACTS, "core.partition_state", "core.dirty_partition", "bi.data_quality_checks"):
                conn.execute(SQL("delete from {}").format(Identifier(*relation.split("."))))

    def publish(self, first: date, last: date) -> None:
        """Refresh the marts, and record every date of every fact, and the marts, as published."""
        with transaction(self.warehouse) as conn:
            for mart in MARTS:
                conn.execute(SQL("refresh materialized view {}").format(Identifier(*mart.split("."))))
            for relation in FACTS:
                conn.execute(
                    SQL(
                        "insert into core.partition_state (tenant_id, model, date, state, version, rows, published_at) "
                        "select t.id, %(model)s, day::date, 'published', 1, count(f.tenant_id), %(now)s "
                        "from core.tenants t "
                        "cross join generate_series(%(first)s::timestamp, %(last)s::timestamp, interval '1 day') day "
                        "left join {} f on f.tenant_id = t.id and f.date = day::date group by t.id, day "
                        "on conflict (tenant_id, model, date) do update set version = partition_state.version + 1, "
                        "rows = excluded.rows, state = 'published'"
                    ).format(Identifier(*relation.split("."))),
                    {"model": relation, "first": first, "last": last, "now": NOW},
                )
            for mart in MARTS:
                conn.execute(
                    SQL(
                        "insert into core.partition_state (tenant_id, model, date, state, version, rows, published_at) "
                        "select t.id, %(model)s, '1970-01-01', 'published', 1, "
                        "(select count(*) from {} f where f.tenant_id = t.id), %(now)s from core.tenants t "
                        "on conflict (tenant_id, model, date) do update set version = partition_state.version + 1, "
                        "rows = excluded.rows"
                    ).format(Identifier(*mart.split("."))),
                    {"model": mart, "now": NOW},
                )

    def mark(self, table: str, model: str, day: date, reason: str) -> None:
        """Mark a date dirty, or failed."""
        with transaction(self.warehouse) as conn:
            if table == "dirty":
                conn.execute(
                    "insert into core.dirty_partition (tenant_id, model, date, reason) values (%s, %s, %s, %s)",
                    [self.tenant.id, model, day, reason],
                )
            else:
                conn.execute(
                    "update core.partition_state set state = 'failed', reason = %s "
                    "where tenant_id = %s and model = %s and date = %s",
                    [reason, self.tenant.id, model, day],
                )

    def ask(
        self, *metrics: str, tenant: Tenant | None = None, lines: Sequence[str] | None = None, **request: Any
    ) -> Answer:
        """Answer a request; `time` may be a pair of dates."""
        asked = Request.model_validate({"metrics": metrics, **_timed(request)})
        return answer(self.warehouse, self.model, asked, asker=Asker(tenant or self.tenant, lines), now=NOW)

    def drill(
        self,
        metric: str,
        cell: Mapping[str, str | None],
        *,
        tenant: Tenant | None = None,
        lines: Sequence[str] | None = None,
        limit: int = 20,
        records: bool = False,
        **request: Any,
    ) -> tuple[DrilledFact, ...]:
        """The rows under a cell."""
        asked = Request.model_validate({"metrics": (metric,), **_timed(request)})
        asker = Asker(tenant or self.tenant, lines)
        return drill(
            self.warehouse, self.model, asked, metric, cell, asker=asker, now=NOW, limit=limit, with_records=records
        )

    def value(self, metric: str, **request: Any) -> Any:
        """The one number of a metric."""
        rows = self.ask(metric, **request).rows
        assert len(rows) == 1, rows
        return rows[0][0]


def _timed(request: dict[str, Any]) -> dict[str, Any]:
    time = request.pop("time", None)
    if isinstance(time, tuple):
        return {**request, "time": {"first": time[0], "last": time[1]}}
    return request if time is None else {**request, "time": {"relative": time}}


def make_plant(warehouse: Warehouse) -> BiPlant:
    """Two tenants; the first has lines L1 and L2 in plant A and L3 in plant B, products P1 and P2, two machines."""
    with transaction(warehouse) as conn:
        ours = create_tenant(conn, "default", "Default", "Asia/Seoul")
        theirs = create_tenant(conn, "other", "Other", "Europe/Berlin")
    plant = BiPlant(warehouse, ours, theirs)
    on = {"is_active": True}
    for owner in (ours, theirs):
        lines = (("L1", "A"), ("L2", "A"), ("L3", "B"))
        plant.put(
            "bi.dim_line",
            [{"line_code": code, "name": f"Line {code}", "plant_code": place, **on} for code, place in lines],
            owner,
        )
        plant.put(
            "bi.dim_product",
            [
                {"product_code": "P1", "name": "펌프", "category": "pump", "unit": "EA", **on},
                {"product_code": "P2", "name": "밸브", "category": "valve", "unit": "EA", **on},
            ],
            owner,
        )
        machines = (("M1", "L1", "robot"), ("M2", "L2", "machine"))
        plant.put(
            "bi.dim_equipment",
            [
                {"equipment_code": code, "line_code": line, "name": code, "equipment_type": kind, **on}
                for code, line, kind in machines
            ],
            owner,
        )
    plant.put(
        "bi.dim_kpi",
        [{"kpi_code": "oee", "name": "OEE", "category": "efficiency", "default_target": 0.85,
          "higher_is_better": True, **on}],
    )  # fmt: skip
    return plant
