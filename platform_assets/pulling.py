"""Asks the configured sources of a record type, for every tenant."""

from dataclasses import asdict, dataclass
from datetime import date
from typing import TYPE_CHECKING

from dbt_like_sql.errors import TaktError
from dbt_like_sql.project import Project
from platform_assets.resources import WarehouseAccess
from platform_core.ingest.contracts import Outcomes
from platform_core.tenants.contracts import Tenant
from platform_core.tenants.service import list_tenants
from platform_core.warehouse.connection import transaction
from platform_core.warehouse.errors import WarehouseError

if TYPE_CHECKING:
    from platform_core.ingest.sources import Source


@dataclass(frozen=True)
class SourceFailure:
    """A source that could not be read, and why."""

    tenant: str
    source: str
    reason: str


@dataclass(frozen=True)
class Pull:
    """What the sources of one record type gave."""

    sources: int
    outcomes: Outcomes
    failures: tuple[SourceFailure, ...]

    @property
    def counts(self) -> dict[str, int]:
        """How the rows ended, only what occurred."""
        return {name: count for name, count in asdict(self.outcomes).items() if count}


_away: dict[str, dict[str, str]] = {}


def servers_away(run_id: str) -> dict[str, str]:
    """Servers that did not answer after all retries in this run, with the reason; those of other runs are forgotten."""
    if run_id not in _away:
        _away.clear()
    return _away.setdefault(run_id, {})


def pull_sources(
    warehouse: WarehouseAccess,
    project: Project,
    record_type: str,
    *,
    dates: tuple[date, date] | None = None,
    away: dict[str, str] | None = None,
) -> Pull:
    """Pull every tenant's sources of the record type, each from where its last pull ended.

    With `dates`, the first and the last, a source that can be asked for dates gives those instead.
    A source that fails does not keep the others from being asked, except those at a server that is `away`: they fail
    at once with its reason, so that a run waits for a dead server once. Raises WarehouseError.
    """
    away = {} if away is None else away
    with transaction(warehouse.open(), read_only=True) as conn:
        tenants = list_tenants(conn)
    asked, outcomes = 0, list[Outcomes]()
    failures: list[SourceFailure] = []
    for tenant in tenants:
        for source in _sources(warehouse, tenant, record_type, failures):
            asked += 1
            try:
                outcomes.append(_pull(warehouse, project, tenant, source, dates if source.has_dates else None, away))
            except WarehouseError:
                raise
            except TaktError as error:
                failures.append(SourceFailure(tenant.slug, source.name, str(error)))
    return Pull(asked, _sum(outcomes), tuple(failures))


def _sources(
    warehouse: WarehouseAccess, tenant: Tenant, record_type: str, failures: list[SourceFailure]
) -> "list[Source]":
    """The tenant's sources of the record type; a broken file goes to `failures`."""
    folder = warehouse.settings.home / "tenants" / tenant.slug / "sources"
    if not folder.is_dir():  # most installations: spares the import of every reader
        return []
    from platform_core.ingest.sources import list_sources

    try:
        sources = list_sources(warehouse.settings, tenant.slug)
    except TaktError as error:
        failures.append(SourceFailure(tenant.slug, "sources", str(error)))
        return []
    return [source for source in sources if source.mapping.record_type == record_type]


def _pull(
    warehouse: WarehouseAccess,
    project: Project,
    tenant: Tenant,
    source: "Source",
    dates: tuple[date, date] | None,
    away: dict[str, str],
) -> Outcomes:
    from platform_core.ingest.readers import SourceUnavailableError
    from platform_core.ingest.service import Ingest, ingest_source
    from platform_core.ingest.sources import server_of

    server = server_of(source)
    if server is not None and server in away:
        raise SourceUnavailableError(away[server])
    ingest = Ingest(warehouse.open(), warehouse.settings, project, tenant, warehouse.now())
    try:
        return ingest_source(ingest, source.name, dates=dates).outcomes
    except SourceUnavailableError as error:
        if server is not None and error.server_is_away:
            away[server] = str(error)
        raise


def _sum(many: list[Outcomes]) -> Outcomes:
    if not many:
        return Outcomes()
    from platform_core.ingest.reports import add_outcomes

    return add_outcomes(many)
