"""Whichever model answers, the number is the same: marts, hours and facts agree on everything that they can give."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from dbt_like_sql.semantics.contracts import Dataset, Source
from dbt_like_sql.semantics.loading import packaged_semantics
from platform_core.bi.planner.choosing import reading_of
from tests.bi.plant import PRODUCTION, STOCK, BiPlant
from tests.bi.test_against_pandas import production, snapshot

FIRST, LAST = date(2026, 5, 30), date(2026, 6, 1)
DIMENSIONS = ("line", "plant", "product", "category", "shift", "location")


def _others() -> Iterator[tuple[Dataset, Source]]:
    for dataset in packaged_semantics().datasets.values():
        yield from ((dataset, source) for source in dataset.sources[1:] if source.hour is None)


def _alone(plant: BiPlant, dataset: Dataset, source: Source) -> BiPlant:
    """A plant whose dataset is answered by one model only."""
    only = dataset.model_copy(update={"sources": (source,)})
    return replace(plant, model=replace(plant.model, datasets={**plant.model.datasets, dataset.name: only}))


def _near(rows: st.SearchStrategy[dict[str, Any]], *key: str) -> st.SearchStrategy[list[dict[str, Any]]]:
    dated = st.tuples(rows, st.sampled_from([FIRST, LAST])).map(lambda pair: {**pair[0], "date": pair[1]})
    return st.lists(dated, min_size=1, max_size=10, unique_by=lambda row: tuple(row[name] for name in ("date", *key)))


@pytest.mark.parametrize(("dataset", "source"), [pytest.param(*each, id=each[1].model) for each in _others()])
def test_a_mart_gives_what_its_fact_gives(module_plant: BiPlant, dataset: Dataset, source: Source) -> None:
    model = packaged_semantics()
    measures = {name for name, each in model.measures.items() if each.dataset == dataset.name}
    readable = {name for name in measures if reading_of(model, source, dataset, model.measures[name])}
    metrics = tuple(
        name
        for name, metric in model.metrics.items()
        if metric.type not in ("cumulative", "change") and model.measures_of(name) <= readable
    )
    possible = [name for name in DIMENSIONS if model.has_dimension(source, model.dimensions[name])]
    assert metrics

    @settings(max_examples=25, phases=[Phase.explicit, Phase.generate])
    @given(
        made=_near(production(), "line_code", "product_code", "shift"),
        stock=_near(snapshot(), "product_code", "location"),
        dimensions=st.lists(st.sampled_from(possible), max_size=2, unique=True),
        grain=st.sampled_from([None, "day", "month"]),
    )
    def agree(made: list[Any], stock: list[Any], dimensions: list[str], grain: str | None) -> None:
        module_plant.clear()
        module_plant.put(PRODUCTION, made)
        module_plant.put(STOCK, stock)
        module_plant.publish(FIRST, LAST)
        asked: dict[str, Any] = {"dimensions": dimensions, "grain": grain, "time": (FIRST, LAST), "totals": True}
        fact = _alone(module_plant, dataset, dataset.sources[0]).ask(*metrics, **asked)
        mart = _alone(module_plant, dataset, source).ask(*metrics, **asked)
        assert mart.trust.versions[0].model == source.model
        names = [column.name for column in fact.columns]
        ours, theirs = ([*each.rows, *([each.totals] if each.totals else [])] for each in (mart, fact))
        for row, expected in zip(ours, theirs, strict=True):
            for name, one, other in zip(names, row, expected, strict=True):
                is_number = one is not None and other is not None and name in metrics
                assert one == (pytest.approx(other) if is_number else other), (name, mart.explanation.sql)

    agree()
