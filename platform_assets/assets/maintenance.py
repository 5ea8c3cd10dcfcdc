"""The asset that keeps the warehouse in shape."""

# Dagster wants the bare annotation MaterializeResult, without its type argument.
# pyright: reportMissingTypeArgument=false, reportUnknownParameterType=false

import dagster as dg

from dbt_like_sql.project import Project
from platform_assets.jobs import OPERATIONS_GROUP
from platform_assets.metadata import MAINTENANCE_KEY
from platform_assets.plants import latest_zone, today_in
from platform_assets.resources import WarehouseResource
from platform_core.warehouse.maintenance import maintain


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
        now = warehouse.now()
        report = maintain(warehouse.open(), warehouse.settings, project, today_in(latest_zone(zones, now), now))
        return dg.MaterializeResult(
            metadata={
                "partitions made": dg.MetadataValue.json(list(report.partitions_made)),
                "candidates swept": dg.MetadataValue.json(list(report.candidates_swept)),
                "results removed": report.results_removed,
                "months archived": dg.MetadataValue.json([f"{month:%Y-%m}" for month in report.months_archived]),
            }
        )

    return maintenance
