"""From whatever is there to a warehouse that can be used: the one call that commands begin with."""

from platform_core.settings import Settings
from platform_core.tenants.contracts import DEFAULT_SLUG
from platform_core.tenants.service import create_tenant
from platform_core.warehouse.connection import Warehouse, open_warehouse, transaction
from platform_core.warehouse.migrate import upgrade


def prepare(settings: Settings) -> Warehouse:
    """Open the warehouse, bring its tables to the newest revision and make the default tenant; repeatable."""
    warehouse = open_warehouse(settings)
    upgrade(warehouse)
    with transaction(warehouse) as connection:
        create_tenant(connection, DEFAULT_SLUG)
    return warehouse
