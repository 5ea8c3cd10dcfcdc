"""One asset for each model of the project."""

# Dagster wants the bare annotation MaterializeResult, without its type argument.
# pyright: reportMissingTypeArgument=false, reportUnknownParameterType=false

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import dagster as dg

from dbt_like_sql.contracts import Layer, Model
from dbt_like_sql.lineage import column_lineage
from dbt_like_sql.project import Project
from platform_assets import store
from platform_assets.checks import check_results, check_specs, date_verdicts, failures
from platform_assets.metadata import model_metadata, raw_key, relation_key
from platform_assets.partitions import dates_of, last_partition
from platform_assets.record_reads import record_types_read
from platform_assets.resources import WarehouseAccess, WarehouseResource
from platform_core.warehouse.connection import transaction
from platform_core.warehouse.contracts import UNDATED, ModelRun
from platform_core.warehouse.publish import materialize

_KINDS: dict[Layer, set[str]] = {
    "staging": {"sql", "postgres", "silver"},
    "dimensions": {"sql", "postgres", "silver"},
    "facts": {"sql", "postgres", "gold"},
    "marts": {"sql", "postgres", "gold"},
}


def model_assets(project: Project, partitions: dg.DailyPartitionsDefinition) -> list[dg.AssetsDefinition]:
    """An asset for each model, upstreams first. Dimensions have no partitions: what they hold has no date."""
    return [
        _model_asset(project, model, None if model.layer == "dimensions" else partitions)
        for model in project.models.values()
    ]


def _model_asset(
    project: Project, model: Model, partitions: dg.DailyPartitionsDefinition | None
) -> dg.AssetsDefinition:
    upstreams = [relation_key(name) for name in model.upstreams if name in project.models]
    records = [raw_key(name) for name in record_types_read(model)]
    specs = check_specs(model, partitions)

    @dg.asset(
        key=relation_key(model.relation),
        deps=[*records, *upstreams],
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run() if partitions else None,
        check_specs=specs,
        group_name=model.layer,
        kinds=_KINDS[model.layer],
        owners=[model.spec.owner],
        description=model.spec.description,
        metadata=model_metadata(model, column_lineage(project, model.relation), upstreams),
        tags={"takt/layer": model.layer, "takt/materialized": model.spec.materialized},
        code_version=model.digest,
        pool=f"model/{model.name}",
    )
    def build(context: dg.AssetExecutionContext, warehouse: WarehouseResource) -> Iterator[dg.MaterializeResult]:
        dates: tuple[date, ...] = dates_of(context) if partitions else (UNDATED,)
        asked = (*dates, *_ahead(warehouse, model, partitions, dates))
        where, now = warehouse.open(), warehouse.now()
        run = materialize(where, project, model.relation, asked, now=now, run_id=context.run.run_id)
        names = warehouse.tenant_names()
        _log_failures(context, model, run)
        yield dg.MaterializeResult(
            metadata=_metadata(run, dates, names), check_results=list(check_results(specs, run, names))
        )
        if partitions and len(dates) > 1:
            # After the result: a verdict counts only if it names the newest materialization of its date.
            for verdict in date_verdicts(context.instance, model, run, dates, names):
                context.log_event(verdict)  # pyright: ignore[reportArgumentType]  (accepted, though not in its type)

    return build


def _ahead(
    warehouse: WarehouseAccess,
    model: Model,
    partitions: dg.DailyPartitionsDefinition | None,
    dates: Sequence[date],
) -> tuple[date, ...]:
    """Dirty dates of the model later than today, when the run reaches today.

    Orders land ahead of their due dates, and partitions end today: the partition of today makes those as well.
    """
    if partitions is None or not model.is_dated or max(dates) < (today := last_partition(partitions)):
        return ()
    with transaction(warehouse.open(), read_only=True) as conn:
        marks = store.due_marks(conn, warehouse.now())
    return tuple(mark.date for mark in marks if mark.model == model.relation and mark.date > today)


def _log_failures(context: dg.AssetExecutionContext, model: Model, run: ModelRun) -> None:
    for (tenant, day), reason in run.failed.items():
        context.log.warning("%s of %s on %s keeps its last good version: %s", model.relation, tenant, day, reason)


def _metadata(run: ModelRun, dates: Sequence[date], names: dict[str, str]) -> dict[str, Any]:
    counted = "dagster/partition_row_count" if len(dates) == 1 and dates[0] != UNDATED else "dagster/row_count"
    metadata: dict[str, Any] = {
        counted: dg.MetadataValue.int(run.rows),
        "published": dg.MetadataValue.int(len(run.published)),
        "seconds": dg.MetadataValue.float(round(run.seconds, 3)),
        "failed": dg.MetadataValue.json(failures(run, names)),
    }
    if run.sealed:
        metadata["sealed"] = dg.MetadataValue.json([day.isoformat() for day in run.sealed])
    return metadata
