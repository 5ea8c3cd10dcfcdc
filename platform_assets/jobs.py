"""Jobs are selections over the assets, so that a new model belongs to them by itself."""

# Dagster leaves type parameters of some decorators open.
# pyright: reportUnknownMemberType=false

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from platform_assets.metadata import INBOX_KEY, MAINTENANCE_KEY

DAILY = "daily"
"""Raw records to marts for production dates; 30 dates are one run."""
DIMENSIONS = "dimensions"
"""Master data; without dates, and apart from the daily run, which it would split in two."""
MAINTENANCE = "maintenance"
INBOX = "inbox"

JOB_TAG = "takt/job"

RAW_GROUP = "raw"
MASTER_GROUP = "master"
UNDATED_GROUPS = ("dimensions", MASTER_GROUP)
OPERATIONS_GROUP = "operations"


def jobs() -> list[UnresolvedAssetJobDefinition]:
    """The jobs of this installation."""
    undated = dg.AssetSelection.groups(*UNDATED_GROUPS)
    operations = dg.AssetSelection.groups(OPERATIONS_GROUP)
    return [
        dg.define_asset_job(
            DAILY,
            selection=dg.AssetSelection.all() - undated - operations,
            description="Raw records, staging, facts and marts of production dates.",
            tags={JOB_TAG: DAILY},
        ),
        dg.define_asset_job(
            DIMENSIONS, selection=undated, description="Master data and dimensions.", tags={JOB_TAG: DIMENSIONS}
        ),
        dg.define_asset_job(
            MAINTENANCE,
            selection=dg.AssetSelection.assets(MAINTENANCE_KEY),
            description="Partitions ahead of time, leftovers swept, old results removed.",
            tags={JOB_TAG: MAINTENANCE},
        ),
        dg.define_asset_job(
            INBOX,
            selection=dg.AssetSelection.assets(INBOX_KEY),
            description="Files that systems have dropped into the tenants' inboxes.",
            tags={JOB_TAG: INBOX},
        ),
    ]
