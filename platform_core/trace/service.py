"""Answers where a number came from: which rows, which records, which line of which file.

The way down is written nowhere: `dbt_like_sql.origin` works out from each model's SQL and grain which upstream rows
a row came from, and `dbt_like_sql.lineage` which of their columns it used.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from difflib import get_close_matches
from functools import cached_property

import psycopg

from dbt_like_sql.contracts import Model
from dbt_like_sql.lineage import column_lineage
from dbt_like_sql.origin import Origin, origins
from dbt_like_sql.project import Project
from platform_core.tenants.contracts import Tenant
from platform_core.trace import store
from platform_core.trace.contracts import Branch, BranchKind, DateState, Trace, TracedRecord, TracedRow
from platform_core.trace.errors import BadValueError, RowNotFoundError, UnknownColumnError, UnknownModelError
from platform_core.trace.records import Records
from platform_core.warehouse.connection import Warehouse, transaction

LIMIT = 20
_NOT_TRACED = frozenset({"core.tenants"})  # a tenant's settings are not records
_RAW = {
    name: store.Relation(name, {}, order, has_tenant=True)
    for name, order in {
        "core.erp_mes_data": ("business_date", "source_system", "source_pk"),
        "core.master_record": ("source_system", "source_pk"),
    }.items()
}


def trace(
    warehouse: Warehouse,
    project: Project,
    relation: str,
    *,
    tenant: Tenant,
    where: Mapping[str, str],
    columns: Sequence[str] = (),
    limit: int = LIMIT,
) -> Trace:
    """The rows of a model with these values (as text, by column) and everything that they were made from.

    With `columns`, only what those are made of is followed. Lists are cut at `limit` and say how long they are. All of
    it is read in one snapshot, as the owner and with the tenant in every statement, because staging is nobody else's.
    Raises UnknownModelError, UnknownColumnError, BadValueError and RowNotFoundError.
    """
    model = find_model(project, relation)
    for name in (*where, *columns):
        _check_column(model, name)
    with transaction(warehouse, read_only=True) as conn:
        store.begin(conn, tenant.id)
        return _Tracer(conn, project, tenant, limit).trace(model, where, columns)


def find_model(project: Project, name: str) -> Model:
    """The model by relation, by bare name, or by the name of its reader view; raises UnknownModelError."""
    bare = name.rpartition(".")[2]
    for model in project.models.values():
        if name in (model.relation, model.name, f"{model.schema}.v_{model.name}") or bare == f"v_{model.name}":
            return model
    names = {alias: model.relation for model in project.models.values() for alias in (model.relation, model.name)}
    close = list(dict.fromkeys(names[found] for found in get_close_matches(name, names, n=3, cutoff=0.5)))
    hint = f"Did you mean {' or '.join(close)}?" if close else f"There are: {', '.join(project.models)}."
    raise UnknownModelError(f"There is no model {name!r}.", hint=hint)


def _check_column(model: Model, name: str) -> None:
    known = [column.name for column in model.spec.columns]
    if name not in known:
        close = get_close_matches(name, known, n=1, cutoff=0.6)
        nearest = f"Did you mean {close[0]}? " if close else ""
        raise UnknownColumnError(
            f"{model.relation} has no column {name!r}.", hint=f"{nearest}It has {', '.join(known)}."
        )


@dataclass
class _Tracer:
    conn: psycopg.Connection
    project: Project
    tenant: Tenant
    limit: int

    @cached_property
    def _archives(self) -> list[tuple[date, date, str]]:
        return store.archives(self.conn)

    def trace(self, model: Model, where: Mapping[str, str], columns: Sequence[str]) -> Trace:
        try:
            found, total = store.rows(self.conn, _relation(model), self.tenant.id, where, self.limit)
        except psycopg.DataError as error:
            reason = (error.diag.message_primary or str(error)).rstrip(".")
            raise BadValueError(f"{model.relation} cannot be searched: {reason}.") from error
        if not found:
            raise self._not_found(model, where)
        wanted = tuple(columns) or tuple(column.name for column in model.spec.columns)
        rows = self._traced(model, found, wanted)
        dates = sorted({row["date"] for row in found if isinstance(row.get("date"), date)})
        states = store.states(self.conn, self.tenant.id, model.relation, dates)
        return Trace(
            model.relation, self.tenant.slug, dict(where), total, tuple(rows), tuple(DateState(**s) for s in states)
        )

    def _not_found(self, model: Model, where: Mapping[str, str]) -> RowNotFoundError:
        asked = ", ".join(f"{name} {value}" for name, value in where.items()) or "any values"
        message = f"{model.relation} has no row of tenant {self.tenant.slug} with {asked}."
        if "date" not in _relation(model).types:
            return RowNotFoundError(message)
        first, last = store.extent(self.conn, _relation(model), self.tenant.id)
        has = f"It has the dates {first} to {last}." if first else "It has no rows of this tenant at all."
        return RowNotFoundError(message, hint=has)

    def _traced(self, model: Model, found: Sequence[store.Row], wanted: Sequence[str]) -> list[TracedRow]:
        """The rows with all that they were made from; every upstream relation is asked once for all of them."""
        lineage = column_lineage(self.project, model.relation)
        leaves = sorted({leaf for name in (*wanted, *model.spec.grain) for leaf in lineage[name]})
        followed = {relation for relation, _ in leaves} - _NOT_TRACED
        branches: list[dict[tuple[str, bool], Branch]] = [{} for _ in found]
        for origin in sorted(origins(self.project, model.relation), key=lambda origin: origin.windows):
            if origin.relation in followed:
                used = tuple(name for relation, name in leaves if relation == origin.relation)
                for own, branch in zip(branches, self._branches(model, origin, found, used), strict=True):
                    _add(own, branch)
        grain = model.spec.grain
        shown = tuple(name for name in wanted if name not in grain)
        return [
            TracedRow(model.relation, {name: row[name] for name in grain}, row, shown, tuple(own.values()))
            for row, own in zip(found, branches, strict=True)
        ]

    def _branches(self, model: Model, origin: Origin, made: Sequence[store.Row], used: tuple[str, ...]) -> list[Branch]:
        """For each row made, the upstream rows of one origin, each with its own ancestry."""
        upstream = self.project.models.get(origin.relation)
        target = _relation(upstream) if upstream else _RAW[origin.relation]
        types = {column.name: column.type for column in model.spec.columns if column.name in origin.tied_by}
        groups = store.sources(self.conn, target, self.tenant.id, made, types, origin.conditions, self.limit)
        if upstream is None:
            finder = Records(self.conn, self.tenant.id, model, target.name)
            records = finder.of(made, [rows for rows, _ in groups], may_remember=not origin.windows)
            return [
                Branch(
                    target.name,
                    "records",
                    max(total, len(own)),
                    records=own,
                    through_window=origin.windows,
                    archive_file=self._archive(target.name, row),
                )
                for row, own, (_, total) in zip(made, records, groups, strict=True)
            ]
        grain = upstream.spec.grain
        unique = {tuple(row[name] for name in grain): row for rows, _ in groups for row in rows}
        rows_of = _untraced if origin.windows else self._traced
        traced = dict(zip(unique, rows_of(upstream, list(unique.values()), used), strict=True))
        kind: BranchKind = "dimension" if upstream.layer == "dimensions" else "rows"
        return [
            Branch(
                target.name,
                kind,
                total,
                rows=tuple(traced[tuple(found[name] for name in grain)] for found in rows),
                through_window=origin.windows,
                archive_file=self._archive(target.name, row) if upstream.layer == "staging" else None,
            )
            for row, (rows, total) in zip(made, groups, strict=True)
        ]

    def _archive(self, relation: str, row: store.Row) -> str | None:
        """The file that holds the records of the row's date, where that is sealed."""
        day = row.get("date")
        if relation == "core.master_record" or not isinstance(day, date):
            return None
        return next((file for first, last, file in self._archives if first <= day <= last), None)


def _relation(model: Model) -> store.Relation:
    types = {column.name: column.type for column in model.spec.columns}
    return store.Relation(model.relation, types, model.spec.grain, "tenant_id" in types)


def _untraced(model: Model, found: Sequence[store.Row], wanted: Sequence[str]) -> list[TracedRow]:
    grain = model.spec.grain
    shown = tuple(name for name in wanted if name not in grain)
    return [TracedRow(model.relation, {name: row[name] for name in grain}, row, shown) for row in found]


def _add(own: dict[tuple[str, bool], Branch], branch: Branch) -> None:
    """Join two ways to the same relation; what counts by itself is not listed again for a window."""
    place = branch.relation, branch.through_window
    branch = _joined(own.get(place), branch)
    if branch.through_window and (first := own.get((branch.relation, False))) is not None:
        branch = _without(branch, first)
        if branch.total == 0:
            return
    own[place] = branch


def _joined(one: Branch | None, other: Branch) -> Branch:
    """Two ways to the same relation as one list: a row that both found counts once."""
    if one is None:
        return other
    rows = {_key(row): row for row in (*other.rows, *one.rows)}
    records = {_identity(record): record for record in (*other.records, *one.records)}
    total = max(one.total, other.total, len(rows) + len(records))
    return replace(one, total=total, rows=tuple(rows.values()), records=tuple(records.values()))


def _without(branch: Branch, first: Branch) -> Branch:
    """The branch without what is listed in another."""
    keys, identities = {_key(row) for row in first.rows}, {_identity(record) for record in first.records}
    rows = tuple(row for row in branch.rows if _key(row) not in keys)
    records = tuple(record for record in branch.records if _identity(record) not in identities)
    gone = len(branch.rows) - len(rows) + len(branch.records) - len(records)
    return replace(branch, total=branch.total - gone, rows=rows, records=records)


def _key(row: TracedRow) -> tuple[object, ...]:
    return tuple(row.key.values())


def _identity(record: TracedRecord) -> tuple[str, str, str]:
    first = record.versions[0]
    return first.record_type, first.source_system, first.source_pk
