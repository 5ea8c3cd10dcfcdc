"""The asset that keeps the warehouse in shape."""

# Dagster wants the bare annotation MaterializeResult, without its type argument.
# pyright: reportMissingTypeArgument=false, reportUnknownParameterType=false

import dagster as dg

from dbt_like_sql.project import Project
from platform_assets.jobs import OPERATIONS_GROUP
from platform_assets.metadata import MAINTENANCE_KEY
from platform_assets.plants import latest_zone, today_in
from platform_assets.resources import WarehouseResource


def maintenance_asset(project: Project, zones: tuple[str, ...]) -> dg.AssetsDefinition:
    """`ops/maintenance`: partitions ahead, leftovers of killed runs swept, old check results removed."""

    @dg.asset(
        key=MAINTENANCE_KEY,
        group_name=OPERATIONS_GROUP,
        kinds={"postgres"},
        owners=["team:data"],
        description="Partitions three months ahead, leftovers of killed runs swept, old check results removed.",
        pool="maintenance",
    )
    def maintenance(warehouse: WarehouseResource) -> dg.MaterializeResult:
        from platform_core.warehouse.maintenance import maintain

        now = warehouse.now()
        report = maintain(warehouse.open(), warehouse.settings, project, today_in(latest_zone(zones, now), now))
        return dg.MaterializeResult(metadata={"report": dg.MetadataValue.text(str(report))})

    return maintenance
