"""From whatever is there to a warehouse that can be used: the one call that commands begin with."""

from dbt_like_sql.project import load_project
from platform_core.settings import Settings
from platform_core.tenants.contracts import DEFAULT_SLUG
from platform_core.tenants.service import create_tenant
from platform_core.warehouse.connection import Warehouse, open_warehouse, transaction
from platform_core.warehouse.ddl import apply_project
from platform_core.warehouse.migrate import upgrade


def prepare(settings: Settings) -> Warehouse:
    """Open the warehouse, bring its tables to what this version says and make the default tenant; repeatable."""
    warehouse = open_warehouse(settings)
    upgrade(warehouse)
    apply_project(warehouse, load_project())
    with transaction(warehouse) as connection:
        create_tenant(connection, DEFAULT_SLUG)
    return warehouse
