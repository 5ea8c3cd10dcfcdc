"""Definitions of metrics are checked when they are loaded, and a mistake is told with file, line and what was meant."""

from pathlib import Path

import pytest

from dbt_like_sql.project import load_project
from dbt_like_sql.semantics.contracts import MetricsFile
from dbt_like_sql.semantics.errors import ExpressionError, MetricDefinitionError
from dbt_like_sql.semantics.expressions import Operation, kind_of, parse
from dbt_like_sql.semantics.loading import METRICS, load_semantics, packaged_semantics, read_semantics

PROJECT = load_project()


def complaint(text: str) -> str:
    """What is said about a file on top of the packaged ones."""
    with pytest.raises(MetricDefinitionError) as caught:
        read_semantics(PROJECT, {"own.yml": text}, packaged_semantics())
    return str(caught.value)


def measure(text: str) -> str:
    """A file with one measure on line 2."""
    return f"measures:\n  - {{name: mine, {text}}}\n"


def metric(name: str, text: str) -> str:
    """One more metric of a file, on a line of its own."""
    label = "label: {ko: 가, en: A}, description: {ko: 나, en: B}, unit: piece, format: number, direction: higher"
    return f"  - {{name: {name}, {label}, {text}}}\n"


SUM = "dataset: production, aggregation: sum, expression: "
STOCK = "dataset: inventory, aggregation: sum, expression: "


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (measure(SUM + "total_qyt"), "own.yml:2: mine: 'total_qyt' is unknown; did you mean 'total_qty'?"),
        (measure(SUM + "shift"), "own.yml:2: mine is a text, and a number is needed."),
        (measure(SUM + "cycle_time_avg"), "own.yml:2: mine sums cycle_time_avg (second)"),
        (measure(SUM + "target_cycle_time"), "of the wrong grain"),
        (measure(SUM + "total_qty / good_qty"), "of the wrong grain"),
        (measure(SUM + "total_qty, over_time: last"), "but production is no snapshot"),
        (measure(STOCK + "stock_qty"), "mine needs over_time"),
        (measure(STOCK + "coverage_days, over_time: last"), "of the wrong grain"),
        (measure(STOCK + "avg_daily_usage, over_time: sum"), "it may only be `over_time: last`"),
        (measure(SUM + "total_qty, where: shift > 1"), "> compares text with number"),
        (measure(SUM + "total_qty, where: total_qty"), "where of mine is a number, and a boolean is needed."),
        (measure("dataset: producton, aggregation: sum, expression: a"), "did you mean 'production'?"),
        (measure("dataset: production, aggregation: sum"), "own.yml:2: every aggregation but count has an expression"),
        (measure("dataset: production, agregation: count"), "own.yml:2: unknown key 'agregation'; did you mean"),
        ("measurs: []\n", "own.yml:1: unknown key 'measurs'; did you mean 'measures'?"),
        (measure(SUM + "total_qty") * 2, "own.yml:3: the key 'measures' is written twice."),
        ("measures:\n  - {name: total_qty, " + SUM + "total_qty}\n", "'total_qty' of measures is defined already at"),
        ("entities:\n  - {name: s, key: shift_code, model: bi.dim_shift}\n",
         "own.yml:2: the join is ambiguous: bi.dim_shift has a row for each tenant_id, plant_code, shift_code"),
        ("entities:\n  - {name: s, key: line_cod, model: bi.dim_line}\n", "did you mean 'line_code'?"),
        ("entities:\n  - {name: s, key: a, model: bi.dim_lin}\n", "did you mean 'bi.dim_line'?"),
        ("dimensions:\n  - {name: d, column: total_qty, label: {ko: 가, en: A}, description: {ko: 가, en: A}}\n",
         "own.yml:2: total_qty of any dataset is a number, and a dimension is a text."),
        ("dimensions:\n  - {name: d, column: x, entity: lin, label: {ko: 가, en: A}, description: {ko: 가, en: A}}\n",
         "did you mean 'line'?"),
        ("dimensions:\n  - {name: week, column: shift, label: {ko: 가, en: A}, description: {ko: 가, en: A}}\n",
         "'week' is a grain of time"),
        ("metrics:\n" + metric("a", "type: derived, expression: b + 1") + metric("b", "type: derived, expression: a"),
         "metrics need each other in a circle: a -> b -> a."),
        ("metrics:\n" + metric("a", "type: ratio, numerator: oe, denominator: total_qty"), "did you mean 'oee'?"),
        ("metrics:\n" + metric("a", "type: simple, measure: total"), "there is no measure 'total'"),
        ("metrics:\n" + metric("a", "type: ratio, numerator: oee"), "a ratio metric needs denominator"),
        ("metrics:\n" + metric("a", "type: simple, measure: total_qty, period: year"), "a simple metric has no period"),
        ("metrics:\n" + metric("a", "type: derived, expression: oee > 1"), "a is a boolean, and a metric is a number."),
        ("metrics:\n" + metric("a", "type: derived, expression: 1 + 1"), "a rests on no measure"),
        ("metrics:\n" + metric("a", "type: cumulative, metric: stock_qty, period: year"), "does not add up over time"),
        ("metrics:\n" + metric("a", "type: cumulative, metric: oee_change, period: year"), "which is change itself"),
        ("metrics:\n  - {name: 'A B'}\n", "own.yml:2: name: String should match pattern"),
        ("metrics: [\n", "own.yml:2: not readable as YAML"),
        ("", "own.yml:1: the file is empty."),
    ],
)  # fmt: skip
def test_a_mistake_names_file_line_and_what_was_meant(text: str, said: str) -> None:
    assert said in complaint(text)


def test_all_mistakes_of_a_file_are_told_at_once() -> None:
    found = complaint("measures:\n  - {name: a, " + SUM + "x}\n  - {name: b, " + SUM + "y}\n")
    assert "own.yml:2: a:" in found
    assert "own.yml:3: b:" in found


def test_an_own_metric_over_the_packaged_ones_is_added(tmp_path: Path) -> None:
    text = "metrics:\n" + metric("waste", "type: derived, expression: scrap_qty + rework_qty")
    found = read_semantics(PROJECT, {"own.yml": text}, packaged_semantics())
    assert found.measures_of("waste") == {"scrap_qty", "rework_qty"}
    assert found.places[("metrics", "waste")] == "own.yml:2"
    assert "waste" not in packaged_semantics().metrics


def test_a_folder_that_is_not_there_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(MetricDefinitionError, match="is not a folder"):
        load_semantics(PROJECT, tmp_path / "none")


@pytest.mark.parametrize(
    "text",
    [
        "a; drop table x", "a, b", "(select 1)", "pg_sleep(10)", "a::text", "a like 'x'", "x.a", "a over ()",
        "a from b",
        "a union select 1", "current_user", "1 < a < 3", "a > 1_000", "$1", "%(p0)s", "{a}", "case when a then 1 end",
        "a between 1 and 2", "array[1]", "interval '1 day'", "(" * 25 + "a" + ")" * 25, "a + " * 200 + "a",
        "a is distinct from 1", "E'\\x41'", "a at time zone 'utc'", "",
    ],
)  # fmt: skip
def test_nothing_but_the_small_language_is_read(text: str) -> None:
    with pytest.raises(ExpressionError):
        kind_of(parse(text), {"a": "number"})  # what parses may still not fit: a comparison is no number to compare


def test_not_null_is_not_read_as_null() -> None:
    null = parse("a is null")
    assert parse("a is not null") == Operation("not", (null,))


def test_every_window_is_the_one_that_the_marts_sql_has() -> None:
    model = packaged_semantics()
    for dataset in model.datasets.values():
        for source in dataset.sources:
            if source.window_days is not None:
                assert f"newest.date - {source.window_days}" in PROJECT.models[source.model].sql


def test_every_packaged_kpi_target_is_of_a_shipped_kpi() -> None:
    shipped = (METRICS.parent / "seeds" / "kpi.csv").read_text(encoding="utf-8")
    codes = {line.split(",")[0] for line in shipped.splitlines()[1:]}
    assert {each.kpi for each in packaged_semantics().metrics.values() if each.kpi} <= codes


def test_the_contract_of_a_file_lists_every_kind() -> None:
    assert list(MetricsFile.model_fields) == ["datasets", "entities", "dimensions", "measures", "metrics"]
