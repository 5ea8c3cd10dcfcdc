"""From whatever is there to a warehouse that can be used: the one call that commands begin with."""

from pathlib import Path

import dbt_like_sql
from dbt_like_sql.project import Project, load_project
from platform_core.clock import utc_now
from platform_core.settings import Settings
from platform_core.tenants.contracts import DEFAULT_SLUG, DEFAULT_TIMEZONE, Tenant
from platform_core.tenants.service import create_tenant
from platform_core.warehouse.connection import Warehouse, open_warehouse, transaction
from platform_core.warehouse.ddl import apply_project
from platform_core.warehouse.errors import MigrationError
from platform_core.warehouse.migrate import current, head, upgrade

SEEDS = Path(dbt_like_sql.__file__).parent / "seeds"
"""What every tenant begins with: shifts and KPIs. A plant's own master data win over them."""


def prepare(settings: Settings, project: Project | None = None) -> Warehouse:
    """Open the warehouse, bring its tables to what this version says and make the default tenant; repeatable."""
    warehouse = open_warehouse(settings)
    upgrade(warehouse)
    project = project or load_project()
    apply_project(warehouse, project)
    add_tenant(warehouse, settings, project, DEFAULT_SLUG)
    return warehouse


def require_tables(warehouse: Warehouse) -> None:
    """Raise MigrationError before `takt init`, also before that of a newer version: for commands that make nothing."""
    found = current(warehouse)
    if found is None:
        raise MigrationError("The warehouse has no tables yet.", hint="Run takt init.")
    if found < head():
        raise MigrationError(
            f"The warehouse's tables are at revision {found}, and this version of Takt needs {head()}.",
            hint="Run takt init, which brings them there.",
        )


def add_tenant(
    warehouse: Warehouse,
    settings: Settings,
    project: Project,
    slug: str,
    display_name: str | None = None,
    timezone: str = DEFAULT_TIMEZONE,
) -> Tenant:
    """Make a tenant with the shipped shifts and KPIs; one that exists keeps its name and zone. Repeatable."""
    from platform_core.ingest.service import load_seeds  # readers and their libraries take a while to import

    with transaction(warehouse) as connection:
        tenant = create_tenant(connection, slug, display_name, timezone)
    load_seeds(warehouse, settings, project, tenant, SEEDS, now=utc_now())
    return tenant
