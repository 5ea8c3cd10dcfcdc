"""From the results of checks to verdicts, and to bi.data_quality_rules and bi.data_quality_checks."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from uuid import UUID

import psycopg

from platform_core.crash_points import crash_point
from platform_core.warehouse.contracts import UNDATED, CheckResult, TenantDate
from platform_core.warehouse.rules import RULE_TYPES, rules_of
from platform_core.warehouse.runs import SHARED, Run
from platform_core.warehouse.store import quality as store
from platform_core.warehouse.store.quality import CheckRow, RuleRow


def verdict(checks: Sequence[CheckResult], keys: Collection[TenantDate]) -> Mapping[TenantDate, str]:
    """The tenants and dates that a check of severity error holds back, each with the checks that do.

    A breach that names no tenant, in a model whose rows belong to tenants, holds back all of them.
    """
    reasons: dict[TenantDate, list[str]] = {}
    for check in checks:
        if check.passed or check.severity != "error":
            continue
        for broken, rows in check.failed_by_date.items():
            hit = [key for key in keys if key == broken or (broken[0] == SHARED and key[1] == broken[1])]
            for key in hit:
                reasons.setdefault(key, []).append(f"{check.check}: {rows} row{'' if rows == 1 else 's'}")
    return {key: "; ".join(texts) for key, texts in reasons.items()}


def record(conn: psycopg.Connection, run: Run, checks: Sequence[CheckResult], keys: Collection[TenantDate]) -> None:
    """Store what was checked: a row for each tenant and date that breaks a check, one for each tenant that has none.

    `keys` are the tenants and dates that were checked; each row says which range that was, and on how many of the
    dates the check was broken, so that the others are known to have passed.
    """
    relation = run.model.relation
    rules = [
        RuleRow(
            relation, rule.name, RULE_TYPES[rule.kind], {**rule.config, "columns": list(rule.columns)}, rule.severity
        )
        for rule in rules_of(run.model)
    ]
    store.upsert_rules(conn, relation, rules)
    days: dict[UUID, set[date]] = {}
    for tenant, day in keys:
        if tenant != SHARED:
            days.setdefault(tenant, set()).add(day)
    rows = [row for check in checks for row in _rows(check, days)]
    store.insert_checks(conn, relation, run.run_id, rows)
    crash_point("checks.before_commit", relation)


def _rows(check: CheckResult, days: Mapping[UUID, set[date]]) -> list[CheckRow]:
    rows: list[CheckRow] = []
    status = "fail" if check.severity == "error" else "warning"
    broken: dict[UUID, set[date]] = {}
    for tenant, day in check.failed_by_date:
        broken.setdefault(tenant, set()).add(day)
    for (tenant, day), failed in check.failed_by_date.items():
        if tenant != SHARED:
            sample = check.sample_by_date.get((tenant, day), ())
            checked = _checked(days.get(tenant, set()), broken[tenant])
            rows.append(
                CheckRow(tenant, check.check, day, check.severity, status, failed, check.total_rows, sample, checked)
            )
    if SHARED in broken:
        return rows
    rows += [
        CheckRow(
            tenant, check.check, None, check.severity, "pass", 0, check.total_rows, (), _checked(days[tenant], set())
        )
        for tenant in sorted(days)
        if tenant not in broken
    ]
    return rows


def _checked(days: Collection[date], broken: Collection[date]) -> Mapping[str, str | int]:
    """What one tenant's check looked at; of a model without dates nothing needs to be said."""
    if not (dated := sorted(set(days) - {UNDATED})):
        return {}
    return {
        "first_date": dated[0].isoformat(),
        "last_date": dated[-1].isoformat(),
        "dates_checked": len(dated),
        "dates_broken": len(set(broken) & set(dated)),
    }
