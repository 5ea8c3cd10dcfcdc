"""A database of a test's own with tenants, records in it, and the environment that leads other processes to it."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from dbt_like_sql.project import load_project
from platform_core.ingest.contracts import LoadRequest, LoadResult, MappedRecord
from platform_core.ingest.landing import land
from platform_core.settings import Settings
from platform_core.tenants.contracts import Tenant
from platform_core.warehouse.connection import Warehouse

DAY = date(2024, 3, 4)
"""A Monday long past, so that it is a partition whatever the clock of the machine says."""

ARRIVED = datetime(2024, 3, 20, 3, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Place:
    """Where a test works."""

    settings: Settings
    warehouse: Warehouse
    tenant: Tenant

    def environment(self) -> dict[str, str]:
        """Variables for a process that is to work here too."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("TAKT_", "DAGSTER_"))}
        return inherited | {
            "TAKT_HOME": str(self.settings.home),
            "TAKT_DATABASE_URL": self.warehouse.owner_url,
            "TAKT_API_DATABASE_URL": self.warehouse.api_url,
            "TAKT_DAGSTER_DATABASE_URL": self.warehouse.dagster_url,
        }

    def land(self, records: Iterable[MappedRecord], record_type: str = "work_order", **how: Any) -> LoadResult:
        """Land records, by default as of ARRIVED."""
        tenant: Tenant = how.pop("tenant", self.tenant)
        now: datetime = how.pop("now", ARRIVED)
        request = LoadRequest(tenant.id, "MES", record_type, "orders.csv", "mes", "digest")
        return land(self.warehouse, self.settings, load_project(), request, list(records), now=now)

    def rows(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        """What the owner of the tables sees."""
        with psycopg.connect(self.warehouse.owner_url) as conn:
            return conn.execute(query, values).fetchall()  # type: ignore[arg-type]

    def write(self, statement: str, **values: Any) -> None:
        """Change something behind the platform's back."""
        with psycopg.connect(self.warehouse.owner_url) as conn:
            conn.execute(statement, values)  # type: ignore[arg-type]

    def break_day(self, day: date) -> None:
        """Make a stored record of the day contradict itself, as no record can that came through landing."""
        self.write(
            """update core.erp_mes_data set raw_data = raw_data || '{"good_qty": 1}'
               where record_type = 'work_order' and business_date = %(day)s and is_current""",
            day=day,
        )


def order(number: int, day: date, **fields: Any) -> MappedRecord:
    """A sound work order of the day shift: 1500 made, 1390 good, in 420 of 480 minutes."""
    payload = {
        "work_order_id": f"WO-{day}-{number}",
        "line_code": "L01",
        "product_code": "P001",
        "shift": "day",
        "start_time": f"{day}T08:00:00+09:00",
        "end_time": f"{day}T16:00:00+09:00",
        "total_qty": 1500,
        "good_qty": 1390,
        "defect_qty": 110,
        "runtime_minutes": 420,
        "downtime_minutes": 60,
    } | fields
    return MappedRecord(number, payload["work_order_id"], None, payload, "text")


def days(count: int) -> list[date]:
    """DAY and the days after it."""
    return [DAY + timedelta(days=n) for n in range(count)]


def repository() -> Path:
    """The root of the repository."""
    return Path(__file__).parents[2]
