"""Runs one SQL case: given rows go to temporary tables, the model's own SELECT reads those, its rows are compared.

The format of a case is in README.md beside this file.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import psycopg
import yaml
from psycopg.rows import dict_row
from pydantic import BaseModel, ConfigDict, Field

from dbt_like_sql.compile import parameters, swap_relations, to_psycopg
from dbt_like_sql.contracts import Model
from dbt_like_sql.project import Project

CASES = Path(__file__).parent
TENANTS = {
    "a": UUID("aaaaaaaa-0000-4000-8000-000000000000"),
    "b": UUID("bbbbbbbb-0000-4000-8000-000000000000"),
}
_LETTERS = {str(tenant): letter for letter, tenant in TENANTS.items()}
_RAW_DEFAULTS: Mapping[str, Any] = {
    "source_system": "MES",
    "source_version": 1,
    "content_hash": "\\x00",
    "received_at": "2025-01-01T00:00:00Z",
    "load_id": "00000000-0000-4000-8000-000000000000",
}
_RECORD_TYPE = re.compile(r"^(stg|dim)_")
Row = dict[str, Any]


class _CaseLoader(yaml.SafeLoader):
    """YAML 1.2 scalars: dates stay text, `16:00` is a time and not 960, `no` is a word and not false."""


_CaseLoader.yaml_implicit_resolvers = {}
_CaseLoader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:null|~|)$"), ["n", "~", ""])
_CaseLoader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), ["t", "f"])
_CaseLoader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^-?(?:0|[1-9]\d*)$"), list("-0123456789"))
_CaseLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$"), list("-0123456789")
)


class Case(BaseModel):
    """One case file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    description: str
    given: dict[str, list[Row]] = Field(default_factory=dict)
    expect: list[Row]
    now: datetime | None = None
    from_date: date | None = None
    to_date: date | None = None
    tolerance: Decimal | dict[str, Decimal] = Decimal(0)
    covers: frozenset[str] = frozenset()


@dataclass(frozen=True)
class CaseFile:
    """A case with the model it is about (the folder's name) and where it stands."""

    model: str
    path: Path

    def __str__(self) -> str:
        return f"{self.model}/{self.path.stem}"

    def read(self) -> Case:
        """The case; raises pydantic's ValidationError for an unknown key."""
        return Case.model_validate(yaml.load(self.path.read_text(encoding="utf-8"), Loader=_CaseLoader))


def case_files(root: Path = CASES) -> list[CaseFile]:
    """Every case below `root`, by model and name."""
    return [CaseFile(path.parent.name, path) for path in sorted(root.glob("*/*.yml"))]


def run_case(conn: psycopg.Connection[Any], project: Project, model: Model, case: Case) -> list[str]:
    """Run the case and say how the rows differ from the expected ones; none when they agree.

    Leaves nothing behind: all of it happens in a transaction that is rolled back.
    """
    if unknown := sorted(set(case.given) - set(model.upstreams)):
        return [f"{model.name} does not read {', '.join(unknown)}; it reads {', '.join(model.upstreams)}."]
    if unknown := sorted({key for row in case.expect for key in row} - {column.name for column in model.spec.columns}):
        return [f"{model.name} has no column {', '.join(unknown)}."]
    with conn.transaction(force_rollback=True):
        tables = given_tables(conn, project, model, case)
        actual = model_rows(conn, model, tables, case)
        expected = _typed(conn, model, case.expect)
    return _differences(model, case, expected, actual)


def given_tables(conn: psycopg.Connection[Any], project: Project, model: Model, case: Case) -> dict[str, str]:
    """Temporary tables with the case's rows, by the relation that each stands for; gone with the transaction."""
    tables: dict[str, str] = {}
    for upstream in model.upstreams:
        table = f"given_{upstream.replace('.', '_')}"
        _create(conn, project, upstream, table)
        given = case.given.get(upstream, [])
        _fill(conn, table, [_completed(upstream, model, index, row) for index, row in enumerate(given)])
        tables[upstream] = f"pg_temp.{table}"
    return tables


def model_rows(conn: psycopg.Connection[Any], model: Model, tables: Mapping[str, str], case: Case) -> list[Row]:
    """What the model's SELECT makes of other tables than its own upstreams, in the types of its contract, by grain."""
    return _rows(conn, model, swap_relations(model.sql, tables), _bindings(case, model))


def type_differences(conn: psycopg.Connection[Any], project: Project, model: Model) -> list[str]:
    """Columns whose type in the SELECT is not the one in the contract; the rows of no upstream at all are computed."""
    with conn.transaction(force_rollback=True):
        swaps: dict[str, str] = {}
        for upstream in model.upstreams:
            swaps[upstream] = f"pg_temp.given_{upstream.replace('.', '_')}"
            _create(conn, project, upstream, swaps[upstream].removeprefix("pg_temp."))
        query = to_psycopg(swap_relations(model.sql, swaps)).rstrip().rstrip(";")
        _run(
            conn, f"create temp table made on commit drop as {query}", _bindings(Case(description="", expect=[]), model)
        )
        _create(conn, project, model.relation, "declared")
        types = "select attname, format_type(atttypid, atttypmod) from pg_attribute where attrelid = %s::regclass"
        made = dict(conn.execute(f"{types} and attnum > 0".encode(), ["pg_temp.made"]).fetchall())
        declared = dict(conn.execute(f"{types} and attnum > 0".encode(), ["pg_temp.declared"]).fetchall())
    return [
        f"{name}: the SELECT gives {made.get(name, 'no such column')}, the contract says {kind}"
        for name, kind in declared.items()
        if made.get(name) != kind
    ]


def misclaimed(case: Case) -> list[str]:
    """What the case says it covers and does not."""
    rows = [row for rows in case.given.values() for row in rows]
    values = [value for row in rows for value in _leaves(row)]
    holds = {"empty": not rows, "null": None in values, "zero_denominator": 0 in values}
    return [f"does not cover {claim!r}: see README.md" for claim in sorted(case.covers) if not holds.get(claim)]


def _leaves(value: Any) -> list[Any]:
    """All scalars within nested mappings and lists; false is not zero."""
    if isinstance(value, dict):
        return [leaf for item in cast("dict[str, Any]", value).values() for leaf in _leaves(item)]
    if isinstance(value, list):
        return [leaf for item in cast("list[Any]", value) for leaf in _leaves(item)]
    return [] if isinstance(value, bool) else [value]


def _create(conn: psycopg.Connection[Any], project: Project, relation: str, table: str) -> None:
    """An empty temporary table shaped like the relation: from its contract, or like the real one in `core`."""
    if relation in project.models:
        columns = ", ".join(f'"{column.name}" {column.type}' for column in project.models[relation].spec.columns)
        _run(conn, f"create temp table {table} ({columns}) on commit drop")
    else:
        _run(conn, f"create temp table {table} (like {relation}) on commit drop")
        for name, nullable in _columns(conn, table).items():
            if not nullable:
                _run(conn, f'alter table {table} alter "{name}" drop not null')


def _columns(conn: psycopg.Connection[Any], table: str) -> dict[str, bool]:
    """Column names in order, and whether each may be null."""
    query = (
        "select attname, not attnotnull from pg_attribute"
        " where attrelid = %s::regclass and attnum > 0 and not attisdropped order by attnum"
    )
    return dict(conn.execute(query, [f"pg_temp.{table}"]).fetchall())


def _completed(relation: str, model: Model, index: int, row: Row) -> Row:
    """The row with a tenant where it names none, and a record of `core` with what every record has."""
    if relation not in ("core.erp_mes_data", "core.master_record"):
        return row
    defaults: Row = dict(_RAW_DEFAULTS) | {
        "record_type": _RECORD_TYPE.sub("", model.name),
        "source_pk": f"PK{index + 1}",
        "source_row": index + 1,
    }
    if relation == "core.erp_mes_data":
        defaults["is_current"] = True
    return defaults | row


def _fill(conn: psycopg.Connection[Any], table: str, rows: Sequence[Row]) -> None:
    known = list(_columns(conn, table))
    ready: list[Row] = []
    for row in rows:
        if "tenant_id" in known:
            row = {"tenant_id": "a"} | row
        if unknown := sorted(set(row) - set(known)):
            raise AssertionError(f"{table.removeprefix('given_')} has no column {', '.join(unknown)}: {row}")
        ready.append(_with_tenant(row))
    _run(conn, f"insert into {table} select * from jsonb_populate_recordset(null::{table}, %s)", [json.dumps(ready)])


def _with_tenant(row: Row) -> Row:
    """The row with the short name of its tenant replaced by the id."""
    return row | {"tenant_id": str(TENANTS.get(row["tenant_id"], row["tenant_id"]))} if row.get("tenant_id") else row


def _bindings(case: Case, model: Model) -> dict[str, Any]:
    """Values for the model's parameters; the window is all dates that the given rows name, where the case sets none."""
    found = sorted(
        date.fromisoformat(str(value)[:10])
        for rows in case.given.values()
        for row in rows
        for key, value in row.items()
        if key in ("date", "business_date") and value is not None
    )
    first = case.from_date or case.to_date or (found[0] if found else date(2025, 6, 1))
    last = case.to_date or max(first, found[-1] if found else first)
    now = case.now or datetime.combine(last + timedelta(days=1), time(12), tzinfo=UTC)
    values = {"from_date": first, "to_date": last, "now": now}
    return {name: values[name] for name in parameters(model.sql)}


def _rows(conn: psycopg.Connection[Any], model: Model, query: str, values: Mapping[str, Any]) -> list[Row]:
    """The model's rows in the types of its contract, ordered by grain, as its table would hold them."""
    typed = ", ".join(f'm."{column.name}"::{column.type} as "{column.name}"' for column in model.spec.columns)
    order = ", ".join(f'"{name}"' for name in model.spec.grain)
    text = f"select {typed} from (\n{to_psycopg(query).rstrip().rstrip(';')}\n) as m order by {order}"
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(text.encode(), dict(values)).fetchall()


def _typed(conn: psycopg.Connection[Any], model: Model, rows: Sequence[Row]) -> list[Row]:
    """The expected rows in the types of the model's columns, each with only the columns that the case names."""
    shape = ", ".join(f'"{column.name}" {column.type}' for column in model.spec.columns)
    payload = json.dumps([_with_tenant(row) for row in rows])
    with conn.cursor(row_factory=dict_row) as cursor:
        text = f"select * from rows from (jsonb_to_recordset(%s) as ({shape})) with ordinality"
        typed = cursor.execute(text.encode(), [payload]).fetchall()
    return [{key: full[key] for key in row} for row, full in zip(rows, typed, strict=True)]


def _differences(model: Model, case: Case, expected: Sequence[Row], actual: Sequence[Row]) -> list[str]:
    """One line for each row that is missing, not expected, or different in a column."""
    complaints: list[str] = []
    left = list(actual)
    grain = model.spec.grain
    for want in expected:
        key = {name: want[name] for name in grain if name in want}
        found = [row for row in left if all(row[name] == value for name, value in key.items())]
        # Where the case does not name the whole grain, the row that agrees in everything else is the one meant.
        best = min(found, key=lambda row: len(_unequal(case, want, row)), default=None)
        if best is None:
            complaints.append(f"missing: {_show(want)}")
            continue
        left.remove(best)
        for column in _unequal(case, want, best):
            complaints.append(f"{_show(key)}: {column} is {best[column]!s}, expected {want[column]!s}")
    return complaints + [f"not expected: {_show(row)}" for row in left]


def _unequal(case: Case, want: Row, row: Row) -> list[str]:
    return [name for name, value in want.items() if not _same(value, row[name], _tolerance(case, name))]


def _tolerance(case: Case, column: str) -> Decimal:
    return case.tolerance.get(column, Decimal(0)) if isinstance(case.tolerance, dict) else case.tolerance


def _same(want: Any, have: Any, tolerance: Decimal) -> bool:
    """Numbers as decimals within the tolerance, everything else exactly; null equals only null."""
    if want is None or have is None:
        return want is have
    if _is_number(want) and _is_number(have):
        return abs(Decimal(str(want)) - Decimal(str(have))) <= tolerance
    return cast("bool", want == have)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _show(row: Row) -> str:
    return ", ".join(f"{key}={_LETTERS.get(str(value), value)!s}" for key, value in row.items())


def _run(conn: psycopg.Connection[Any], text: str, values: Sequence[Any] | Mapping[str, Any] | None = None) -> None:
    conn.execute(text.encode(), values)
