"""Everything that Dagster knows of this installation, merged; each part is made in its own module."""

import dagster as dg

from dbt_like_sql.project import Project, load_project
from platform_assets.assets.inbox import inbox_asset
from platform_assets.assets.maintenance import maintenance_asset
from platform_assets.assets.models import model_assets
from platform_assets.assets.raw import raw_assets
from platform_assets.environment import current_settings
from platform_assets.jobs import jobs
from platform_assets.partitions import daily_partitions
from platform_assets.plants import latest_zone, plant_zones
from platform_assets.previews import accepted_previews
from platform_assets.resources import WarehouseAccess
from platform_assets.schedules import schedules
from platform_assets.sensors import sensors
from platform_core.clock import utc_now


def build_definitions(project: Project | None = None) -> dg.Definitions:
    """Definitions of the settings in force and of `project` (default: the packaged models).

    They load without the warehouse, too.
    """
    settings, now = current_settings(), utc_now()
    project = project or load_project()
    zones = plant_zones(settings)
    partitions = daily_partitions(settings.first_date, latest_zone(zones, now))
    work = jobs()
    with accepted_previews():
        assets = [
            *raw_assets(project, partitions),
            *model_assets(project, partitions),
            inbox_asset(project),
            maintenance_asset(project, zones),
        ]
    return dg.Definitions(
        assets=assets,
        jobs=work,
        schedules=schedules(zones, now),
        sensors=sensors(project, zones, settings.first_date, work),
        resources={"warehouse": WarehouseAccess()},
        # The work is in PostgreSQL: a process for each step took 22 s for three empty steps, this takes 0.7 s.
        executor=dg.in_process_executor,
    )
