"""The relation that a model's contract asks for: how it is made, when an existing one fits, and how that is altered."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

import psycopg
from psycopg import sql

from dbt_like_sql.compile import swap_relations
from dbt_like_sql.contracts import Model
from dbt_like_sql.errors import ModelError
from dbt_like_sql.project import Project
from platform_core.warehouse.store import catalog, partitions, relations

Action = Literal["keep", "create", "alter", "swap"]

DEFINITION_VERSION = 1
"""Raise it when this package makes tables or views another way: every model is then looked at again."""

LINELESS_SOURCES = frozenset({"staging.stg_inventory", "staging.stg_order"})
"""What inventory and orders are made from; they belong to no line, so that line-limited users see all of them."""

_RELKINDS = {"partitioned_table": "p", "table": "r", "view": "v", "materialized_view": "m"}


@dataclass(frozen=True)
class Shape:
    """A model as PostgreSQL is to hold it."""

    model: Model

    @property
    def relkind(self) -> str:
        """p, r, v or m, as pg_class says it."""
        return _RELKINDS[self.model.spec.materialized]

    @property
    def step(self) -> partitions.Step | None:
        """How wide a partition is; None for what has none."""
        return (self.model.spec.partition_by or "month") if self.model.is_dated else None

    @property
    def kind(self) -> str:
        """What only a new table can change: the kind of relation and the width of its partitions."""
        return f"{self.model.spec.materialized}:{self.step}" if self.step else self.model.spec.materialized

    @property
    def is_stored(self) -> bool:
        """Whether it is a table, whose rows the publication writes."""
        return self.relkind in ("p", "r")

    @property
    def is_reader(self) -> bool:
        """Whether the model is itself the security-barrier view through which it is read."""
        return self.relkind == "v" and self.model.name.startswith("v_")

    @property
    def columns(self) -> tuple[tuple[str, str, bool], ...]:
        """(name, type, not null) of each column; the grain is never null.

        A column that should not be null, but whose check only warns, may be: the row is published with a warning.
        """
        spec = self.model.spec
        return tuple(
            (
                column.name,
                column.type,
                column.name in spec.grain or (column.not_null and column.severity == "error"),
            )
            for column in spec.columns
        )

    @property
    def indexes(self) -> Mapping[str, tuple[str, ...]]:
        """Declared indexes by name, without the unique one on the grain."""
        return {
            relations.index_name(self.model.name, "_".join((*columns, "idx"))): columns
            for columns in self.model.spec.indexes
        }

    def fits(self, conn: psycopg.Connection, relkind: str) -> bool:
        """Whether the table that stands there has the same columns and grain, but for what can be altered in place."""
        if relkind != self.relkind:
            return False
        if not self.is_stored:
            return False  # what a view reads is compared by its digest, not by its columns
        wanted = {column.name: column for column in catalog.shape(conn, self.columns)}
        there = {column.name: column for column in catalog.columns(conn, self.model.relation)}
        for name, column in there.items():
            same = wanted.get(name)
            if same is None or same.type != column.type or (same.not_null and not column.not_null):
                return False
        if any(column.not_null for name, column in wanted.items() if name not in there):
            return False
        unique = [index.columns for index in catalog.indexes(conn, self.model.relation) if index.unique]
        return self.model.spec.grain in unique

    def alter(self, conn: psycopg.Connection) -> list[str]:
        """Add columns and indexes, lift NOT NULL, drop indexes that are no longer asked for; returns what was done."""
        done = self._alter_columns(conn) if self.is_stored else []
        if self.relkind == "v":
            return done
        there = {index.name: index for index in catalog.indexes(conn, self.model.relation) if not index.unique}
        for name, columns in self.indexes.items():
            if name not in there:
                relations.create_index(conn, self.model.relation, name, columns)
                done.append(f"index on {', '.join(columns)}")
        for name, index in there.items():
            if name not in self.indexes and name.endswith("_idx"):
                relations.drop_index(conn, self.model.relation, index)
                done.append(f"no index on {', '.join(index.columns)}")
        return done

    def _alter_columns(self, conn: psycopg.Connection) -> list[str]:
        done: list[str] = []
        there = {column.name: column for column in catalog.columns(conn, self.model.relation)}
        for column in self.columns:
            name, _, not_null = column
            if name not in there:
                relations.add_column(conn, self.model.relation, column)
                done.append(f"new column {name}")
            elif there[name].not_null and not not_null:
                relations.drop_not_null(conn, self.model.relation, name)
                done.append(f"{name} may be null")
        return done

    def create(self, conn: psycopg.Connection, suffix: str, swaps: Mapping[str, str], visible: sql.SQL) -> None:
        """Make it as `<name><suffix>`, reading each relation of `swaps` from its replacement."""
        relation = self.model.relation + suffix
        if self.is_stored:
            self._check_partitioning()
            relations.create_table(conn, relation, self.columns, partitioned=self.relkind == "p")
        else:
            query = swap_relations(self.model.sql, swaps).rstrip().rstrip(";")
            if self.relkind == "m":
                relations.create_materialized(conn, relation, self.columns, query)
            else:
                relations.create_view(conn, relation, self.columns, query, visible=visible if self.is_reader else None)
                return
        grain = relations.index_name(self.model.name, f"grain{suffix}")
        relations.create_index(conn, relation, grain, self.model.spec.grain, unique=True)
        for name, columns in self.indexes.items():
            relations.create_index(
                conn, relation, relations.index_name(name, suffix.strip("_")) if suffix else name, columns
            )

    def rename_next(self, conn: psycopg.Connection, relation: str, suffix: str) -> None:
        """Give `<name><suffix>`, its indexes and its partitions the names that they keep."""
        schema, name = partitions.split(relation)
        if self.relkind != "v":
            names = {
                relations.index_name(self.model.name, f"grain{suffix}"): relations.index_name(self.model.name, "grain")
            }
            for index in self.indexes:
                names[relations.index_name(index, suffix.strip("_"))] = index
            for old, new in names.items():
                relations.rename(conn, f"{schema}.{old}", "i", new)
        if self.relkind == "p":
            for child in sorted(partitions.existing(conn, relation)):
                for index in catalog.indexes(conn, f"{schema}.{child}"):
                    relations.rename(conn, f"{schema}.{index.name}", "i", index.name.replace(suffix, "", 1))
                relations.rename(conn, f"{schema}.{child}", "r", child.replace(suffix, "", 1))
        relations.rename(conn, relation, self.relkind, name.removesuffix(suffix))

    def _check_partitioning(self) -> None:
        if self.relkind == "p" and "date" not in self.model.spec.grain:
            raise ModelError(
                f"{self.model.path}: a partitioned table needs `date` in its grain.",
                hint="A unique index cannot span partitions without it.",
            )


def shape_of(model: Model) -> Shape:
    """The relation that the model asks for."""
    return Shape(model)


def definition(project: Project, model: Model) -> str:
    """Hash of everything about the model that its relation, views, grants or comments depend on."""
    spec = model.spec.model_dump(mode="json", exclude={"checks", "freshness_hours", "owner"})
    known = [DEFINITION_VERSION, model.digest, spec, lineless_visible(project, model)]
    return sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:16]


def lineless_visible(project: Project, model: Model) -> bool:
    """Whether line-limited users see the model's rows though they carry no line: dimensions, inventory and orders."""
    if model.layer == "dimensions":
        return True
    sources = {name for name in project.models if model.relation in project.descendants(name)} | {model.relation}
    staging = {name for name in sources if project.models[name].layer == "staging"}
    return bool(staging) and staging <= LINELESS_SOURCES
