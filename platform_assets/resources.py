"""What assets, sensors and schedules are given: the warehouse, opened when first used."""

from datetime import datetime

import dagster as dg

from dbt_like_sql.project import Project
from platform_assets.environment import current_settings
from platform_core.clock import utc_now
from platform_core.settings import Settings
from platform_core.tenants.service import list_tenants
from platform_core.warehouse.connection import Warehouse, open_warehouse, transaction
from platform_core.warehouse.setup import prepare

_prepared: dict[Settings, Warehouse] = {}
"""What this process has brought up to date: `dagster dev` on a new machine, or after a model was added, has no one
else to do it."""


class WarehouseAccess:
    """The warehouse of this installation; a seam for the clock, too."""

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return current_settings()

    def open(self, project: Project | None = None) -> Warehouse:
        """The warehouse, reachable and with the tables of the models of this version, or of `project`.

        Raises WarehouseError.
        """
        settings = self.settings
        if settings not in _prepared:
            _prepared[settings] = prepare(settings, project)
            return _prepared[settings]
        return open_warehouse(settings)

    def now(self) -> datetime:
        """The present moment, in UTC."""
        return utc_now()

    def tenant_names(self) -> dict[str, str]:
        """Slug of each tenant by its id as text."""
        with transaction(self.open(), read_only=True) as conn:
            return {str(tenant.id): tenant.slug for tenant in list_tenants(conn)}


WarehouseResource = dg.ResourceParam[WarehouseAccess]
"""How an asset, a sensor or a schedule asks for it: a parameter `warehouse: WarehouseResource`."""
