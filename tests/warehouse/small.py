"""A small factory: few models, records put in by hand, and what can be seen of them afterwards."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb

from dbt_like_sql.project import Project
from platform_core.warehouse.connection import Warehouse, transaction
from platform_core.warehouse.contracts import BuildReport
from platform_core.warehouse.dirty import mark_dirty
from platform_core.warehouse.maintenance import ensure_partitions
from platform_core.warehouse.publish import build

MODELS = Path(__file__).parent / "small_models"
STAGING, FACT, MART = "staging.stg_work_order", "bi.fact_daily_production", "bi.mv_line"
THREE_DAYS, LINES = "bi.fact_three_days", "bi.dim_line"
NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)
LOAD = UUID(int=7)


def day(number: int) -> date:
    """A date in May 2026."""
    return date(2026, 5, number)


@dataclass
class SmallFactory:
    """A warehouse with the small models, and two tenants."""

    warehouse: Warehouse
    project: Project
    tenant: UUID
    other: UUID

    def land(self, when: date, key: str, total: float = 10, *, tenant: UUID | None = None, **fields: Any) -> None:
        """Land one work order as the current version of its key, and mark its date."""
        payload = {"product_code": "P1", "total_qty": total, "good_qty": min(total, 8), **fields}
        with transaction(self.warehouse) as conn:
            ensure_partitions(conn, "core.erp_mes_data", when, when)
            conn.execute(
                "insert into core.erp_mes_data "
                "values (%s, 'MES', 'work_order', %s, 1, %s, 'L1', %s, '', now(), %s, 1, true)",
                [tenant or self.tenant, key, when, Jsonb(payload), LOAD],
            )
            mark_dirty(conn, tenant or self.tenant, STAGING, [when], reason="landed", today=NOW.date())

    def line(self, code: str, **fields: Any) -> None:
        """Land or change a line's master record and mark the dimension."""
        with transaction(self.warehouse) as conn:
            conn.execute(
                "insert into core.load (id, tenant_id, source_system, record_type, source_name, mapping_name, "
                "mapping_digest) values (%s, %s, 'ERP', 'line', 'f', 'm', '') on conflict do nothing",
                [LOAD, self.tenant],
            )
            conn.execute(
                "insert into core.master_record values (%(t)s, 'line', %(c)s, 'ERP', 1, %(d)s, '', now(), %(l)s, 1) "
                "on conflict (tenant_id, record_type, source_pk) do update set raw_data = excluded.raw_data",
                {"t": self.tenant, "c": code, "d": Jsonb({"line_code": code, "name": code, **fields}), "l": LOAD},
            )
            mark_dirty(conn, self.tenant, "bi.dim_line", [date(1970, 1, 1)], reason="landed")

    def build(self, *dates: date, run_id: str = "run", now: datetime = NOW) -> BuildReport:
        """Everything for the dates."""
        return build(self.warehouse, self.project, dates, now=now, run_id=run_id)

    def rows(self, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The owner's view."""
        with transaction(self.warehouse) as conn:
            return conn.execute(query.encode(), parameters or None).fetchall()

    def totals(self, relation: str = FACT, tenant: UUID | None = None) -> Mapping[date, Decimal]:
        """Pieces by date."""
        found = self.rows(
            f"select date, sum(total_qty) from {relation} where tenant_id = %s group by 1 order by 1",
            [tenant or self.tenant],
        )
        return dict(found)

    def marks(self, relation: str, tenant: UUID | None = None) -> list[date]:
        """Dates that are dirty."""
        query = "select date from core.dirty_partition where model = %s and tenant_id = %s order by 1"
        return [when for (when,) in self.rows(query, [relation, tenant or self.tenant])]

    def states(self, relation: str, tenant: UUID | None = None) -> Mapping[date, tuple[str, int, int]]:
        """(state, version, rows) by date."""
        query = "select date, state, version, rows from core.partition_state where model = %s and tenant_id = %s"
        return {
            when: (state, version, rows)
            for when, state, version, rows in self.rows(query, [relation, tenant or self.tenant])
        }

    def scratch(self) -> list[str]:
        """Candidates that are there."""
        return [
            name for (name,) in self.rows("select relname from pg_class where relnamespace = 'scratch'::regnamespace")
        ]

    def snapshot(self) -> Mapping[str, list[str]]:
        """Everything that was published, without what differs between two equal runs."""
        queries = {relation: f"select * from {relation}" for relation in (STAGING, FACT, THREE_DAYS, MART, LINES)}
        queries["state"] = "select tenant_id, model, date, state, rows from core.partition_state"
        queries["dirty"] = "select tenant_id, model, date from core.dirty_partition"
        return {name: sorted(map(str, self.rows(query))) for name, query in queries.items()}


def tenants(conn: psycopg.Connection) -> tuple[UUID, UUID]:
    """Two tenants, with keys that are the same in every test."""
    keys = (UUID(int=1), UUID(int=2))
    for key, slug in zip(keys, ("default", "other"), strict=True):
        conn.execute("insert into core.tenants (id, slug, display_name) values (%s, %s, %s)", [key, slug, slug])
    return keys
