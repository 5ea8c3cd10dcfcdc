"""One asset for each record type: what has landed, after its configured sources have been asked."""

# Dagster wants the bare annotation MaterializeResult, without its type argument.
# pyright: reportMissingTypeArgument=false, reportUnknownParameterType=false

from collections.abc import Sequence
from datetime import date
from typing import Any

import dagster as dg

from dbt_like_sql.project import Project
from platform_assets import store
from platform_assets.jobs import MASTER_GROUP, RAW_GROUP
from platform_assets.metadata import raw_key, raw_metadata
from platform_assets.partitions import dates_of, last_partition
from platform_assets.pulling import Pull, pull_sources, servers_away
from platform_assets.resources import WarehouseResource
from platform_core.ingest.record_types import RECORD_TYPES, RecordType, staging_model
from platform_core.warehouse.connection import transaction

SOURCES_ANSWERED = "sources_answered"
SCHEDULE_NAME_TAG = "dagster/schedule_name"
SENSOR_NAME_TAG = "dagster/sensor_name"


def raw_assets(project: Project, partitions: dg.DailyPartitionsDefinition) -> list[dg.AssetsDefinition]:
    """`raw/work_order` and its like by production date; `raw/line` and other master data without dates."""
    return [_raw_asset(project, kind, partitions if kind.dated else None) for kind in RECORD_TYPES.values()]


def _raw_asset(
    project: Project, kind: RecordType, partitions: dg.DailyPartitionsDefinition | None
) -> dg.AssetsDefinition:
    table = "core.erp_mes_data" if kind.dated else "core.master_record"
    read_by = f" Read by {staging_model(kind.name)}." if kind.dated else ""

    @dg.asset(
        key=raw_key(kind.name),
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run() if partitions else None,
        group_name=RAW_GROUP if kind.dated else MASTER_GROUP,
        kinds={"postgres", "bronze"},
        owners=["team:data"],
        description=(
            f"Records of type {kind.name} in {table}, as they arrived.{read_by} Materializing it pulls its configured"
            " sources and counts what has landed; without a source it only counts. Scheduled runs, and those of today,"
            " pull what is new; past dates that a person chooses are pulled as dates, where the source names one."
        ),
        metadata=raw_metadata(kind),
        check_specs=[
            dg.AssetCheckSpec(
                SOURCES_ANSWERED, asset=raw_key(kind.name), description="Every configured source could be read."
            )
        ],
        pool=f"raw/{kind.name}",
    )
    def land(context: dg.AssetExecutionContext, warehouse: WarehouseResource) -> dg.MaterializeResult:
        dates = dates_of(context) if partitions else None
        chosen = _chosen(context, dates, last_partition(partitions)) if partitions and dates else None
        pull = pull_sources(warehouse, project, kind.name, dates=chosen, away=servers_away(context.run.run_id))
        for failure in pull.failures:
            context.log.error("Source %s of %s: %s", failure.source, failure.tenant, failure.reason)
        return dg.MaterializeResult(
            metadata={**_pulled(pull), **_counts(warehouse, kind, dates)},
            check_results=[_answered(pull)],
        )

    return land


def _chosen(context: dg.AssetExecutionContext, dates: Sequence[date], today: date) -> tuple[date, date] | None:
    """The past dates that a person, not a schedule or a sensor, wants; None where what is new is wanted."""
    by_itself = {SCHEDULE_NAME_TAG, SENSOR_NAME_TAG} & context.run.tags.keys()
    return None if by_itself or dates[-1] >= today else (dates[0], dates[-1])


def _pulled(pull: Pull) -> dict[str, Any]:
    """How the rows of the sources ended; a failed source stands where other assets list their failed dates."""
    metadata: dict[str, Any] = {"sources": pull.sources, **pull.counts}
    metadata["failed"] = dg.MetadataValue.json(
        [
            {"tenant": each.tenant, "date": "", "reason": f"source {each.source}: {each.reason}"}
            for each in pull.failures
        ]
    )
    return metadata


def _answered(pull: Pull) -> dg.AssetCheckResult:
    """Not blocking: the days are made from what has landed, while the source stays away."""
    return dg.AssetCheckResult(
        check_name=SOURCES_ANSWERED,
        passed=not pull.failures,
        metadata={"asked": pull.sources, "failed": [f"{each.tenant} {each.source}" for each in pull.failures]},
        description="; ".join(each.reason for each in pull.failures) or None,
    )


def _counts(warehouse: WarehouseResource, kind: RecordType, dates: Sequence[date] | None) -> dict[str, Any]:
    with transaction(warehouse.open(), read_only=True) as conn:
        found = store.landed(conn, kind.name, dates)
    counted = "dagster/partition_row_count" if dates and len(dates) == 1 else "dagster/row_count"
    metadata: dict[str, Any] = {counted: dg.MetadataValue.int(sum(each.records for each in found))}
    if found:
        metadata["records by tenant"] = dg.MetadataValue.json({each.tenant: each.records for each in found})
        metadata["newest arrival"] = dg.MetadataValue.timestamp(max(each.newest for each in found))
    return metadata
