"""Makes the tables and views of `staging` and `bi` what the project says they are.

What PostgreSQL can change in place is changed in place (a new nullable column, an index). Everything else is built
beside as `<name>__next`, filled, and swapped in by rename together with its reader view. A view holds on to what it
reads by identity and not by name: renaming a table would leave every mart on the old one. So everything that reads a
swapped table is built again, on the new one, in the same transaction, and the old ones go from the last reader down to
the table, never by CASCADE. One transaction holds it all: killed anywhere, nothing has changed.
"""

from collections.abc import Mapping

import psycopg
from psycopg.errors import DependentObjectsStillExist

from dbt_like_sql.contracts import Model
from dbt_like_sql.project import Project
from platform_core.crash_points import crash_point
from platform_core.warehouse.connection import Warehouse, transaction
from platform_core.warehouse.errors import TableConflictError
from platform_core.warehouse.shapes import Action, Shape, definition, lineless_visible, shape_of
from platform_core.warehouse.store import catalog, dirty, partitions, relations, tables

NEXT = "__next"


def apply_project(warehouse: Warehouse, project: Project) -> tuple[str, ...]:
    """Make every model's table or view; returns what was changed, in words, and nothing when all was as it should be.

    Raises TableConflictError when something that is not ours is in the way.
    """
    with transaction(warehouse) as conn:
        catalog.lock(conn)
        applied = catalog.applied(conn)
        kinds = catalog.kinds(conn)
        if _is_current(project, applied, kinds):
            return ()
        return _Application(conn, project, applied, kinds).run()


def reader_view(model: Model) -> str | None:
    """The view through which the API reads the model: `bi.v_<name>`, the model itself if a v_*, None in staging."""
    if model.layer == "staging":
        return None
    return model.relation if shape_of(model).is_reader else f"{model.schema}.v_{model.name}"


def _is_current(project: Project, applied: Mapping[str, catalog.Applied], kinds: Mapping[str, str]) -> bool:
    wanted = {relation: definition(project, model) for relation, model in project.models.items()}
    return wanted == {relation: state.definition for relation, state in applied.items()} and wanted.keys() <= set(kinds)


class _Application:
    """One application of a project: decide for each model, build what is new, swap, and dress everything changed."""

    def __init__(
        self,
        conn: psycopg.Connection,
        project: Project,
        applied: Mapping[str, catalog.Applied],
        kinds: Mapping[str, str],
    ) -> None:
        self._conn = conn
        self._project = project
        self._applied = applied
        self._kinds = kinds
        self._swapped: dict[str, Shape] = {}
        self._said: list[str] = []

    def run(self) -> tuple[str, ...]:
        """Do it all; the steps and their order are the module's promise."""
        self._drop_orphans()
        changed: dict[str, Action] = {}
        for relation, model in self._project.models.items():
            action = self._decide(model)
            if action != "keep":
                self._build(shape_of(model), action)
                changed[relation] = action
        if self._swapped:
            crash_point("mart.before_swap")
            self._swap()
            crash_point("mart.after_swap")
        for place, (relation, model) in enumerate(self._project.models.items()):
            if relation in changed:
                self._dress(shape_of(model))
            state = catalog.Applied(shape_of(model).kind, place, model.digest, definition(self._project, model))
            if self._applied.get(relation) != state:
                catalog.record(self._conn, relation, state)
        for relation, action in changed.items():
            self._mark(self._project.models[relation], action)
        return tuple(self._said)

    def _decide(self, model: Model) -> Action:
        relation, wanted = model.relation, shape_of(model)
        there = self._kinds.get(relation)
        before = self._applied.get(relation)
        if there is None:
            return "create"
        if not wanted.is_stored and any(upstream in self._swapped for upstream in model.upstreams):
            return "swap"  # it still reads the old one by identity
        if before is None:
            if wanted.fits(self._conn, there):
                return "alter"
            raise TableConflictError(
                f"{relation} is there already and is not what the model {model.path.name} makes.",
                hint="Rename or drop it, then run takt init again.",
            )
        if before.definition == definition(self._project, model):
            return "keep"
        same_kind = before.kind == wanted.kind and there == wanted.relkind
        if wanted.is_stored:
            return "alter" if same_kind and wanted.fits(self._conn, there) else "swap"
        return "alter" if same_kind and before.code_version == model.digest else "swap"

    def _build(self, shape: Shape, action: Action) -> None:
        relation = shape.model.relation
        if action == "alter":
            done = shape.alter(self._conn)
            self._said.append(f"altered {relation}: {', '.join(done) or 'its description'}")
            return
        suffix = NEXT if action == "swap" else ""
        shape.create(self._conn, suffix, {name: name + NEXT for name in self._swapped}, self._visible(shape))
        if action == "create":
            self._said.append(f"created {relation}")
            return
        old_kind = self._kinds[relation]
        if shape.is_stored and old_kind in ("r", "p"):
            kept = tables.carry_over(self._conn, shape.model, relation + NEXT, shape.step)
            self._said.append(f"replaced {relation}, {'with its rows' if kept else 'to be filled anew'}")
        else:
            self._said.append(f"replaced {relation}")
        self._swapped[relation] = shape

    def _swap(self) -> None:
        try:
            for relation in reversed(self._swapped):
                self._drop(relation, self._project.models[relation])
        except DependentObjectsStillExist as error:
            detail = (error.diag.message_detail or "").splitlines()
            raise TableConflictError(
                f"{error.diag.message_primary}: {'; '.join(detail)}.",
                hint="Drop what hangs on it (it is not Takt's), run takt init again, and make it anew.",
            ) from error
        for relation, shape in self._swapped.items():
            shape.rename_next(self._conn, relation + NEXT, NEXT)

    def _drop(self, relation: str, model: Model | None) -> None:
        """A relation and its reader view; `model` is None for one that the project no longer has."""
        schema, name = partitions.split(relation)
        view = reader_view(model) if model else f"{schema}.v_{name}"
        if view and view != relation and view in self._kinds and view not in self._project.models:
            relations.drop(self._conn, view, "v")
        relations.drop(self._conn, relation, self._kinds[relation])

    def _drop_orphans(self) -> None:
        orphans = {relation: state for relation, state in self._applied.items() if relation not in self._project.models}
        for relation, _ in sorted(orphans.items(), key=lambda item: -item[1].position):
            if self._kinds.get(relation) in ("v", "m"):
                self._drop(relation, None)
                self._said.append(f"dropped {relation}, which no model makes any more")
            else:
                self._said.append(f"left {relation} and its rows, though no model makes it any more")
            catalog.forget(self._conn, relation)

    def _visible(self, shape: Shape) -> relations.sql.SQL:
        names = {column.name for column in shape.model.spec.columns}
        return relations.row_filter(
            tenant="tenant_id" in names,
            line="line_code" in names,
            lineless_visible=lineless_visible(self._project, shape.model),
        )

    def _dress(self, shape: Shape) -> None:
        """Reader view, row security, grants and comments, each as it should be whatever was there."""
        model, visible = shape.model, self._visible(shape)
        view = reader_view(model)
        if not shape.is_reader:
            relations.revoke(self._conn, model.relation)
        if shape.is_stored:
            relations.secure(self._conn, model.relation, visible)
        meanings = {
            column.name: f"{column.description.rstrip('.')}. Unit: {column.unit}."
            if column.unit
            else column.description
            for column in model.spec.columns
        }
        if view and view != model.relation:
            names = [column.name for column in catalog.columns(self._conn, model.relation)]
            relations.create_reader(self._conn, view, model.relation, names, visible)
            relations.comment(self._conn, view, "v", model.spec.description, meanings)
        relations.comment(self._conn, model.relation, shape.relkind, model.spec.description, meanings)
        if view:
            relations.revoke(self._conn, view)
            relations.grant(self._conn, view)

    def _mark(self, model: Model, action: Action) -> None:
        """A new or changed model has to be filled: mark what it holds, or what it should hold."""
        upstreams = [name for name in model.upstreams if name in self._project.models]
        if model.is_dated:
            dirty.mark_code_change(self._conn, model.relation, model.digest, whatever=action == "swap")
            if action == "create":
                dirty.mark_like(self._conn, model.relation, upstreams)
        elif model.spec.materialized != "view":
            before = self._applied.get(model.relation)
            if action != "alter" or before is None or before.code_version != model.digest:
                dirty.mark_undated(self._conn, model.relation)
