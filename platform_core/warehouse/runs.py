"""One run of one model: what it is about, the locks it holds, and whom its result reaches."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

import psycopg

from dbt_like_sql.contracts import Model
from dbt_like_sql.project import Project
from platform_core.warehouse.connection import Warehouse, autocommit
from platform_core.warehouse.store import publish as store
from platform_core.warehouse.store.dirty import Reader

SHARED = UUID(int=0)
"""Stands for the tenant of a model without tenants (the calendar)."""


@dataclass(frozen=True)
class Run:
    """What is made, at which moment, by which run; `tenant` limits it to the rows of one.

    `last_date` is the newest date that the run was asked for, when it is made in several ranges.
    """

    warehouse: Warehouse
    project: Project
    model: Model
    now: datetime
    run_id: str
    tenant: UUID | None = None
    last_date: date | None = None

    @property
    def has_tenant(self) -> bool:
        """Whether the model's rows belong to tenants."""
        return any(column.name == "tenant_id" for column in self.model.spec.columns)

    @property
    def today(self) -> date:
        """The date of `now` in UTC; marks go at most one day further, where the plants that are ahead are."""
        return self.now.astimezone(UTC).date()

    @property
    def readers(self) -> tuple[Reader, ...]:
        """The models that must be made anew when this one changes, upstreams first; views are looked through."""
        found: dict[str, Reader] = {}
        names = list(self.project.downstream(self.model.relation))
        while names:
            model = self.project.models[names.pop()]
            if model.spec.materialized == "view":
                names += self.project.downstream(model.relation)
            else:
                found[model.relation] = Reader(model.relation, model.spec.lookback_days, not model.is_dated)
        return tuple(found[name] for name in self.project.models if name in found)

    def parameters(self, days: Sequence[date]) -> dict[str, Any]:
        """What the model's SELECT may ask for, for the range of the days (ascending)."""
        return {"from_date": days[0], "to_date": days[-1], "now": self.now}

    def candidate_name(self) -> str:
        """A table in `scratch` that no other attempt has ever used, 63 bytes at most."""
        run = sha256(self.run_id.encode()).hexdigest()[:8]
        return f"scratch.{self.model.name[:36]}_{run}_{uuid4().hex[:12]}"


@contextmanager
def locked(run: Run, days: Sequence[date]) -> Generator[psycopg.Connection]:
    """Hold the locks on (model, date), waiting for whoever has one; yields the session that holds them."""
    with autocommit(run.warehouse) as conn:
        store.lock(conn, run.model.relation, days)
        yield conn
