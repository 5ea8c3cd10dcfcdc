"""Expectations of the models as asset checks, and the verdict of each date inside a run over many."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData,
)

from dbt_like_sql.contracts import Model
from platform_assets.metadata import relation_key
from platform_core.clock import utc_now
from platform_core.warehouse.contracts import UNDATED, CheckResult, ModelRun, TenantDate
from platform_core.warehouse.rules import rules_of
from platform_core.warehouse.runs import SHARED

DATES_PUBLISHED = "dates_published"
"""Of each model: whether every date (of every tenant) of the run was published."""

_SAMPLE_ROWS = 10
_SEVERITY = {
    "error": dg.AssetCheckSeverity.ERROR,
    "warning": dg.AssetCheckSeverity.WARN,
    "info": dg.AssetCheckSeverity.WARN,
}

TenantNames = Mapping[str, str]
"""Slug by tenant id as text."""


def check_specs(model: Model, partitions: dg.PartitionsDefinition[str] | None) -> list[dg.AssetCheckSpec]:
    """One check for each expectation of the model and `dates_published`.

    None is blocking: that would skip the marts for all dates when one date is broken; publication is the gate.
    """
    key = relation_key(model.relation)
    specs = [dg.AssetCheckSpec(rule.name, asset=key, description=rule.description) for rule in rules_of(model)]
    # A check that knows partitions shows each date's own verdict inside one run.
    specs.append(
        dg.AssetCheckSpec(
            DATES_PUBLISHED,
            asset=key,
            description="Every date passed its checks of severity error, for every tenant, and was published.",
            partitions_def=partitions,
        )
    )
    return specs


def check_results(
    specs: Sequence[dg.AssetCheckSpec], run: ModelRun, names: TenantNames
) -> Iterator[dg.AssetCheckResult]:
    """The one result that Dagster wants for each check of a step; an expectation with nothing to check has passed."""
    found = {result.check: result for result in run.checks}
    for spec in specs:
        if spec.name == DATES_PUBLISHED:
            yield dg.AssetCheckResult(
                check_name=DATES_PUBLISHED, passed=not run.failed, metadata=_published_metadata(run, names)
            )
        elif (result := found.get(spec.name)) is not None:
            yield _of_expectation(result, names)
        else:
            yield dg.AssetCheckResult(check_name=spec.name, passed=True, metadata={"checked_rows": 0})


def date_verdicts(
    instance: dg.DagsterInstance, model: Model, run: ModelRun, dates: Sequence[date], names: TenantNames
) -> Iterator[dg.AssetCheckEvaluation]:
    """The verdict of each date, the worst over tenants, for a run over several whose dates are materialized already.

    Without them Dagster knows one verdict for all dates of the run (its issues 17005 and 17836).
    """
    key = relation_key(model.relation)
    reasons: dict[date, list[str]] = {}
    for (tenant, day), reason in _by_date(run):
        reasons.setdefault(day, []).append(f"{_name(tenant, names)}: {reason}")
    targets = instance.get_latest_storage_id_by_partition(
        key, dg.DagsterEventType.ASSET_MATERIALIZATION, {day.isoformat() for day in dates}
    )
    now = utc_now().timestamp()
    for day in dates:
        broken = reasons.get(day, [])
        target = targets.get(day.isoformat())
        yield dg.AssetCheckEvaluation(
            asset_key=key,
            check_name=DATES_PUBLISHED,
            passed=not broken,
            partition=day.isoformat(),
            description="; ".join(broken) or None,
            metadata={"tenants": broken} if broken else {},
            target_materialization_data=AssetCheckEvaluationTargetMaterializationData(
                storage_id=target, run_id=run.run_id, timestamp=now
            )
            if target is not None
            else None,
        )


def failures(run: ModelRun, names: TenantNames) -> list[dict[str, str]]:
    """Tenant, date and reason of everything that kept its last good version, oldest date first."""
    return [
        {
            "tenant": _name(tenant, names),
            "date": "" if day == UNDATED else day.isoformat(),
            "reason": reason,
        }
        for (tenant, day), reason in _by_date(run)
    ]


def _by_date(run: ModelRun) -> list[tuple[TenantDate, str]]:
    return sorted(run.failed.items(), key=lambda item: (item[0][1], str(item[0][0])))


def _name(tenant: UUID, names: TenantNames) -> str:
    return "all tenants" if tenant == SHARED else names.get(str(tenant), str(tenant))


def _published_metadata(run: ModelRun, names: TenantNames) -> dict[str, Any]:
    metadata: dict[str, Any] = {"published": len(run.published), "failed": len(run.failed)}
    if run.failed:
        metadata["failures"] = dg.TableMetadataValue(
            records=[dg.TableRecord(row) for row in failures(run, names)],
            schema=dg.TableSchema([dg.TableColumn("tenant"), dg.TableColumn("date"), dg.TableColumn("reason")]),
        )
    return metadata


def _of_expectation(result: CheckResult, names: TenantNames) -> dg.AssetCheckResult:
    metadata: dict[str, Any] = {"failed_rows": result.failed_rows, "checked_rows": result.total_rows}
    if result.broken:
        metadata["broken"] = [f"{_name(tenant, names)} {day}" for tenant, day in result.broken]
    if result.sample:
        metadata["sample"] = dg.MetadataValue.json(
            [{key: _plain(value) for key, value in row.items()} for row in result.sample[:_SAMPLE_ROWS]]
        )
    return dg.AssetCheckResult(
        check_name=result.check, passed=result.passed, severity=_SEVERITY[result.severity], metadata=metadata
    )


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool | None) else str(value)
