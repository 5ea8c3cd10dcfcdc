"""Small projects planted in a temporary folder: two sound models, and whatever a test puts beside them."""

from pathlib import Path
from textwrap import dedent

from dbt_like_sql.contracts import Model
from dbt_like_sql.lint import Estate, Rule
from dbt_like_sql.project import Project, load_project

STAGING_SQL = """
select r.tenant_id, r.business_date as date, r.source_system, r.source_pk, r.load_id, r.source_row, r.line_code,
    (r.raw_data ->> 'qty')::numeric as qty
from core.erp_mes_data as r
where r.is_current and r.record_type = 'thing' and r.business_date between :from_date and :to_date
"""
STAGING_YML = """
description: Things.
owner: team:data
materialized: partitioned_table
partition_by: month
grain: [tenant_id, date, source_system, source_pk]
columns:
  - {name: tenant_id, type: uuid, not_null: true, description: Tenant.}
  - {name: date, type: date, not_null: true, description: Day.}
  - {name: source_system, type: text, not_null: true, description: System.}
  - {name: source_pk, type: text, not_null: true, description: Key.}
  - {name: load_id, type: uuid, description: Load.}
  - {name: source_row, type: bigint, description: Line.}
  - {name: line_code, type: text, description: Line.}
  - {name: qty, type: numeric, unit: piece, description: Pieces.}
"""
DIMENSION_SQL = """
select r.tenant_id, r.raw_data ->> 'line_code' as line_code, r.raw_data ->> 'name' as name
from core.master_record as r
where r.record_type = 'line'
"""
DIMENSION_YML = """
description: Lines.
owner: team:data
materialized: table
grain: [tenant_id, line_code]
columns:
  - {name: tenant_id, type: uuid, not_null: true, description: Tenant.}
  - {name: line_code, type: text, not_null: true, description: Code.}
  - {name: name, type: text, description: Name.}
"""
FACT_SQL = """
select t.tenant_id, t.date, coalesce(t.line_code, 'none') as line_code, sum(t.qty) as qty
from staging.stg_thing as t
where t.date between :from_date and :to_date
group by t.tenant_id, t.date, coalesce(t.line_code, 'none')
"""
FACT_YML = """
description: Things of a line and day.
owner: team:data
materialized: partitioned_table
partition_by: quarter
grain: [tenant_id, date, line_code]
columns:
  - {name: tenant_id, type: uuid, not_null: true, description: Tenant.}
  - {name: date, type: date, not_null: true, description: Day.}
  - {name: line_code, type: text, not_null: true, description: Line.}
  - {name: qty, type: numeric, unit: piece, description: Pieces.}
"""


def plant(root: Path, place: str, sql: str, yml: str) -> None:
    """Write the pair of files at `place`, for example `facts/fact_thing`."""
    path = root / f"{place}.sql"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dedent(sql).lstrip(), encoding="utf-8")
    path.with_suffix(".yml").write_text(dedent(yml).lstrip(), encoding="utf-8")


def sound(root: Path) -> Path:
    """A folder with one sound model in each layer but the last."""
    plant(root, "staging/stg_thing", STAGING_SQL, STAGING_YML)
    plant(root, "dimensions/dim_line", DIMENSION_SQL, DIMENSION_YML)
    plant(root, "facts/fact_thing", FACT_SQL, FACT_YML)
    return root


def estate(root: Path, *with_cases: str) -> Estate:
    """The folder as rules see it."""
    return Estate(load_project(root), frozenset(with_cases))


def complaint(rule: Rule, root: Path, name: str) -> str | None:
    """What the rule says of the model of that name."""
    project = load_project(root)
    return rule(model(project, name), Estate(project, frozenset()))


def model(project: Project, name: str) -> Model:
    """The model of that name."""
    return next(found for found in project.models.values() if found.name == name)
