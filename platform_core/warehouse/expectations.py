"""Evaluates a model's expectations with great-expectations.

Importing that library takes seconds, so it happens here inside functions, and `warm_up` starts it beside other work.
Every expectation is asked in one go; for the columns' own that are broken, a second question finds the tenants, dates
and some rows. An expectation that raises was not broken: it could not be evaluated, and that is an error.
"""

import os
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from threading import Lock, Thread
from typing import Any
from uuid import UUID, uuid4

import psycopg

from dbt_like_sql.contracts import Model
from platform_core.warehouse.connection import Warehouse
from platform_core.warehouse.contracts import CheckResult, TenantDate
from platform_core.warehouse.errors import CheckNotPossibleError
from platform_core.warehouse.lazy_imports import left_for_later
from platform_core.warehouse.rules import Rule, RuleKind, check_names, rules_of
from platform_core.warehouse.runs import SHARED
from platform_core.warehouse.store import audit, partitions
from platform_core.warehouse.store.audit import Scope

__all__ = ["SAMPLE_ROWS", "Scope", "check_names", "evaluate", "warm_up"]

SAMPLE_ROWS = 5
"""Broken rows kept of each (tenant, date) and of each result."""

_JUDGES_ABSENCE: frozenset[RuleKind] = frozenset({"freshness", "broken_rows"})
"""Kinds of rules that rows which are not there may break; every other one holds of no rows, without being asked."""

_SESSION = (
    "-c timezone=UTC -c jit=off -c work_mem=64MB -c max_parallel_workers_per_gather=2 "
    "-c parallel_setup_cost=100 -c min_parallel_table_scan_size=0"
)
_IMPORTING = Lock()
_SOURCES = Lock()
"""The library's register of data sources is one for the process, and not made for threads; what is kept is too."""
_SCHEMAS = "scratch,bi"
"""Where candidates and marts lie: the library takes no schema beside a table's name any more."""


def warm_up() -> None:
    """Begin to import great-expectations in a thread, so that it is there when the first audit wants it."""
    Thread(target=_library, name="takt-import-expectations", daemon=True).start()


def evaluate(
    warehouse: Warehouse,
    conn: psycopg.Connection,
    model: Model,
    scope: Scope,
    *,
    total_rows: int,
    is_unique: bool = False,
) -> tuple[CheckResult, ...]:
    """Every expectation of the model over the scope's rows (a candidate's, or a mart's), in the contract's order.

    With `is_unique` a unique index on the grain stands already, and its rows are not grouped once more to see it.
    Raises CheckNotPossibleError when one of them could not be evaluated.
    """
    rules = rules_of(model)
    asked = [rule for rule in rules if total_rows or rule.kind in _JUDGES_ABSENCE]
    found: Mapping[str, Sequence[Mapping[str, Any]]] = {}
    if asked:
        found = _found(warehouse, conn, model, scope, asked, is_unique=is_unique)
    return tuple(_check(model, rule, found.get(rule.name, ()), total_rows) for rule in rules)


def _found(
    warehouse: Warehouse,
    conn: psycopg.Connection,
    model: Model,
    scope: Scope,
    rules: Sequence[Rule],
    *,
    is_unique: bool,
) -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """What breaks each of the rules, by rule: one item for each (tenant, date), with some rows."""
    queries = {
        rule.name: audit.locating(conn, model, rule, scope, sample=SAMPLE_ROWS, is_unique=is_unique) for rule in rules
    }
    with _batch(warehouse, scope.relation) as batch:
        first = _validate(batch, model, [_expectation(rule, queries[rule.name]) for rule in rules])
        unlocated = [
            rule.name for rule in rules if not first[rule.name].success and "broken" not in _result(first[rule.name])
        ]
        second: Mapping[str, Any] = {}
        if unlocated:
            second = _validate(batch, model, [_locating(name, queries[name]) for name in unlocated])
    found = {rule.name: _result(second.get(rule.name, first[rule.name])).get("broken", []) for rule in rules}
    if silent := [name for name in unlocated if not found[name]]:
        raise CheckNotPossibleError(
            f"{model.relation}: {silent[0]} is broken, but no row was found that breaks it.",
            hint="The rows changed during the audit, or the check does not mean what its SQL says.",
        )
    return found


def _check(model: Model, rule: Rule, found: Sequence[Mapping[str, Any]], total_rows: int) -> CheckResult:
    by_date: dict[TenantDate, int] = {
        (UUID(item["tenant_id"]) if item["tenant_id"] else SHARED, date.fromisoformat(item["date"])): int(item["rows"])
        for item in found
    }
    sample = [row for item in found for row in item["sample"]]
    return CheckResult(
        model=model.relation,
        check=rule.name,
        severity=rule.severity,
        passed=not found,
        failed_rows=sum(by_date.values()),
        total_rows=total_rows,
        broken=tuple(sorted(by_date, key=lambda key: (key[1], key[0]))),
        sample=tuple(sample[:SAMPLE_ROWS]),
        failed_by_date=by_date,
        sample_by_date={key: tuple(item["sample"]) for key, item in zip(by_date, found, strict=True)},
    )


@cache
def _import() -> Any:
    """The library, silent and without calls home."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    with left_for_later("altair", "scipy.stats"):  # charts and distributions: 2 of its 5 seconds
        import great_expectations

    return great_expectations


def _library() -> Any:
    with _IMPORTING:  # two threads importing it at once would see half of it
        return _import()


@cache
def _context() -> Any:
    """One for the process, kept in memory only: each makes a folder for reports that nobody asks for."""
    context = _library().get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    return context


@cache
def _rows_expectation() -> Any:
    """UnexpectedRowsExpectation that runs its query once, not twice as the library's, and says what it found."""
    _library()
    from great_expectations.expectations.core.unexpected_rows_expectation import UnexpectedRowsExpectation

    class NoRowsFoundExpectation(UnexpectedRowsExpectation):  # pyright: ignore[reportUntypedBaseClass]
        metric_dependencies = ("unexpected_rows_query.table",)

        def metrics_validate(
            self, metrics: Any, runtime_configuration: Any = None, execution_engine: Any = None, **more: Any
        ) -> Any:
            # BOOLEAN_ONLY, which spares the columns' expectations their lists, would throw away what was found here.
            complete: dict[str, Any] = {**(runtime_configuration or {}), "result_format": {"result_format": "COMPLETE"}}
            base: Any = super()
            return base.metrics_validate(metrics, complete, execution_engine, **more)

        def _validate(self, metrics: dict[str, Any], *_: Any, **__: Any) -> dict[str, Any]:
            rows = metrics["unexpected_rows_query.table"]
            return {"success": not rows, "result": {"broken": rows[0]["broken"] if rows else []}}

    return NoRowsFoundExpectation


def _expectation(rule: Rule, query: str) -> Any:
    """The library's own expectation for what a column promises, else one that runs the query.

    Its ExpectCompoundColumnsToBeUnique counts over a window: three times as long as grouping, and it names nothing.
    """
    library = _library().expectations
    meta = {"rule": rule.name}
    if rule.kind == "not_null":
        return library.ExpectColumnValuesToNotBeNull(column=rule.columns[0], meta=meta)
    if rule.kind == "range":
        low, high = rule.config["minimum"], rule.config["maximum"]
        return library.ExpectColumnValuesToBeBetween(column=rule.columns[0], min_value=low, max_value=high, meta=meta)
    if rule.kind == "values":
        return library.ExpectColumnValuesToBeInSet(column=rule.columns[0], value_set=rule.config["values"], meta=meta)
    return _locating(rule.name, query)


def _locating(name: str, query: str) -> Any:
    return _rows_expectation()(unexpected_rows_query=query, meta={"rule": name})


@dataclass
class _Kept:
    """Sources that no thread uses at the moment, with their connections; all of one warehouse."""

    url: str = ""
    sources: list[Any] = field(default_factory=list[Any])


@cache
def _kept() -> _Kept:
    return _Kept()


@contextmanager
def _batch(warehouse: Warehouse, relation: str) -> Generator[Any]:
    """The relation as a batch, on a connection of the library's own, which the next audit finds open."""
    _library()
    from great_expectations.datasource.fluent.interfaces import TestConnectionError

    name = partitions.split(relation)[1]
    source = _take(warehouse)
    try:
        asset = source.add_table_asset(name, table_name=name)
        yield asset.add_batch_definition_whole_table("all").get_batch()
    except TestConnectionError as error:
        raise CheckNotPossibleError(
            f"great-expectations cannot read {relation}: {error}", hint="Run the same again."
        ) from error
    finally:
        _give_back(warehouse, source, name)


def _take(warehouse: Warehouse) -> Any:
    """A source that is this thread's alone until it is given back."""
    from great_expectations.datasource.fluent.interfaces import TestConnectionError

    kept = _kept()
    with _SOURCES:
        if kept.url == warehouse.owner_url and kept.sources:
            return kept.sources.pop()
        if kept.url != warehouse.owner_url:
            for source in kept.sources:
                _forget(source)
            kept.url, kept.sources = warehouse.owner_url, []
        url = "postgresql+psycopg://" + warehouse.owner_url.split("://", 1)[1]
        engine = {"connect_args": {"options": f"{_SESSION} -c search_path={_SCHEMAS}"}, "pool_pre_ping": True}
        try:
            return _context().data_sources.add_sql(f"warehouse {uuid4()}", connection_string=url, kwargs=engine)
        except TestConnectionError as error:
            raise CheckNotPossibleError(
                f"great-expectations cannot connect to the warehouse to check what was made: {error}",
                hint="`takt doctor` explains what is wrong with an installation.",
            ) from error


def _give_back(warehouse: Warehouse, source: Any, asset: str) -> None:
    kept = _kept()
    with _SOURCES:
        if any(known.name == asset for known in source.assets):
            source.delete_asset(asset)
        if kept.url == warehouse.owner_url:
            kept.sources.append(source)
        else:  # another warehouse was asked for meanwhile
            _forget(source)


def _forget(source: Any) -> None:
    source.get_engine().dispose()
    source.get_execution_engine().engine.dispose()
    _context().data_sources.delete(source.name)


def _validate(batch: Any, model: Model, expectations: Sequence[Any]) -> Mapping[str, Any]:
    """Results by rule; raises for the first that could not be evaluated."""
    suite = _library().ExpectationSuite(name=model.relation, expectations=list(expectations))
    answer = batch.validate(suite, result_format="BOOLEAN_ONLY")
    results: dict[str, Any] = {}
    for result in answer.results:
        name = result.expectation_config.meta["rule"]
        if message := _raised(result.exception_info):
            raise CheckNotPossibleError(
                f"{model.relation}: {name} could not be evaluated: {message}",
                hint="This says nothing about the rows. Mend the check, or run the same again if the server was away.",
            )
        results[name] = result
    return results


def _result(result: Any) -> Mapping[str, Any]:
    return result.result or {}


def _raised(info: Any) -> str | None:
    """The first message in the library's account of an exception, which comes flat or by metric."""
    if not info:
        return None
    if "raised_exception" in info:
        return str(info.get("exception_message")).strip() if info["raised_exception"] else None
    messages = (_raised(nested) for nested in info.values() if isinstance(nested, Mapping))
    return next((message for message in messages if message), None)
