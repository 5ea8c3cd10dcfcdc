"""SQL of bi.data_quality_rules and bi.data_quality_checks."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb

# A rule that is as it was is left alone: rows are not rewritten with every run.
UPSERT_RULES = """
insert into bi.data_quality_rules as rule (table_name, name, rule_type, rule_config, severity)
select %(model)s, given.name, given.rule_type, given.config, given.severity
from jsonb_to_recordset(%(rules)s) as given(name text, rule_type text, config jsonb, severity text)
order by given.name
on conflict (table_name, name) do update set
    rule_type = excluded.rule_type, rule_config = excluded.rule_config, severity = excluded.severity, is_enabled = true
where (rule.rule_type, rule.rule_config, rule.severity, rule.is_enabled)
    is distinct from (excluded.rule_type, excluded.rule_config, excluded.severity, true)
"""
DISABLE_RULES = """
update bi.data_quality_rules set is_enabled = false
where table_name = %(model)s and is_enabled and name <> all (%(names)s)
"""
INSERT_CHECKS = """
insert into bi.data_quality_checks (
    tenant_id, rule_id, model, check_name, date, severity, status, failed_row_count, total_row_count,
    sample_failed_rows, run_id, metadata
)
select given.tenant, rule.id, %(model)s, given.check_name, given.day, given.severity, given.status, given.failed,
    given.total, given.sample, %(run)s, given.checked
from jsonb_to_recordset(%(checks)s) as given(
    tenant uuid, check_name text, day date, severity text, status text, failed bigint, total bigint, sample jsonb,
    checked jsonb
)
left join bi.data_quality_rules as rule on rule.table_name = %(model)s and rule.name = given.check_name
"""


class RuleRow(NamedTuple):
    """An expectation as the catalogue of rules shows it."""

    model: str
    name: str
    rule_type: str
    config: Mapping[str, Any]
    severity: str


class CheckRow(NamedTuple):
    """The outcome of one expectation for one tenant: of a date that breaks it, or of all dates when none does."""

    tenant: UUID
    check_name: str
    day: date | None
    severity: str
    status: str
    failed: int
    total: int
    sample: Sequence[Mapping[str, Any]]
    checked: Mapping[str, str | int]
    """The range of dates that were checked, how many they are and how many of them are broken."""


def upsert_rules(conn: psycopg.Connection, model: str, rules: Sequence[RuleRow]) -> None:
    """Make the rules of a model those given; others of it are disabled, as past results still name them."""
    given = Jsonb([rule._asdict() for rule in rules])
    conn.execute(UPSERT_RULES, {"model": model, "rules": given})
    conn.execute(DISABLE_RULES, {"model": model, "names": [rule.name for rule in rules]})


def insert_checks(conn: psycopg.Connection, model: str, run_id: str, rows: Sequence[CheckRow]) -> None:
    """Store outcomes."""
    if rows:
        given = [
            {**row._asdict(), "tenant": str(row.tenant), "day": row.day.isoformat() if row.day else None}
            for row in rows
        ]
        conn.execute(INSERT_CHECKS, {"model": model, "run": run_id, "checks": Jsonb(given)})
