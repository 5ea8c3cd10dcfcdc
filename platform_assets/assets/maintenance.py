"""The asset that keeps the warehouse in shape."""

# Dagster wants the bare annotation MaterializeResult, without its type argument.
# pyright: reportMissingTypeArgument=false, reportUnknownParameterType=false

from dataclasses import replace

import dagster as dg

from dbt_like_sql.project import Project
from platform_assets.jobs import OPERATIONS_GROUP
from platform_assets.metadata import MAINTENANCE_KEY
from platform_assets.plants import latest_zone, today_in
from platform_assets.resources import WarehouseResource
from platform_core.security.context import open_security
from platform_core.security.service.sessions import sweep
from platform_core.warehouse.maintenance import maintain


def maintenance_asset(project: Project, zones: tuple[str, ...]) -> dg.AssetsDefinition:
    """`ops/maintenance`: partitions ahead, leftovers of killed runs swept, old check results and tokens removed."""

    @dg.asset(
        key=MAINTENANCE_KEY,
        group_name=OPERATIONS_GROUP,
        kinds={"postgres"},
        owners=["team:data"],
        description="Partitions three months ahead, leftovers of killed runs swept, old results and tokens removed.",
        pool="maintenance",
    )
    def maintenance(warehouse: WarehouseResource) -> dg.MaterializeResult:
        now = warehouse.now()
        place = warehouse.open()
        report = maintain(place, warehouse.settings, project, today_in(latest_zone(zones, now), now))
        security = replace(open_security(warehouse.settings, place), clock=warehouse.now)
        return dg.MaterializeResult(
            metadata={
                "partitions made": dg.MetadataValue.json(list(report.partitions_made)),
                "candidates swept": dg.MetadataValue.json(list(report.candidates_swept)),
                "results removed": report.results_removed,
                "tokens removed": sweep(security),
                "months archived": dg.MetadataValue.json([f"{month:%Y-%m}" for month in report.months_archived]),
            }
        )

    return maintenance
