"""Which of a dataset's models answers: all columns, the whole range, neither dirty nor failed, and the fewest rows."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from dbt_like_sql.semantics.contracts import Dataset, Measure, Source
from dbt_like_sql.semantics.expressions import Reference, parse, references
from dbt_like_sql.semantics.model import SemanticModel
from platform_core.bi.contracts import NOTHING, Choice, DateRange, Grain, ModelState
from platform_core.bi.errors import RequestInvalidError

UNDATED = date(1970, 1, 1)
"""The date under which a model without dates is published."""


@dataclass(frozen=True)
class Need:
    """What a scan asks of a model."""

    measures: tuple[str, ...]
    dimensions: tuple[str, ...]
    grain: Grain | None
    dates: DateRange


def reading_of(model: SemanticModel, source: Source, dataset: Dataset, measure: Measure) -> bool:
    """Whether a source can give a measure, and give the same number as the fact.

    What is made from the fact has lost its rows: it can add up plain sums again, and nothing that looks at each row.
    """
    columns = model.columns_of(source)
    if measure.name in source.measures:
        return True
    needed: set[str] = set()
    for text in (measure.expression, measure.where, measure.unknown_where):
        needed |= references(parse(text)) if text is not None else set[str]()
    if not needed <= columns.keys():
        return False
    fact = dataset.sources[0]
    if set(model.model_of(source).spec.grain) == set(model.model_of(fact).spec.grain):
        return True
    is_plain = measure.expression is not None and isinstance(parse(measure.expression), Reference)
    return measure.aggregation == "sum" and is_plain and measure.where is None and measure.unknown_where is None


def choose(
    model: SemanticModel, dataset: Dataset, need: Need, states: Mapping[str, ModelState], purpose: str
) -> tuple[Source, Choice]:
    """The source that answers and why; raises RequestInvalidError when none has all that is asked for."""
    passed_over: list[tuple[str, str]] = []
    able: list[Source] = []
    for source in dataset.sources:
        lack = _lack(model, dataset, source, need)
        if lack is None:
            able.append(source)
        else:
            passed_over.append((source.model, lack))
    if not able:
        reasons = "; ".join(f"{name} {why}" for name, why in passed_over)
        raise RequestInvalidError(f"No model of {dataset.name} has all that is asked for: {reasons}.")
    fact_state = states.get(dataset.fact, NOTHING)
    clean: list[tuple[int, Source]] = []
    for source in able:
        trouble = _trouble(model, source, dataset, need.dates, states)
        if trouble is None:
            clean.append((_rows(source, need.dates, states.get(source.model, NOTHING), fact_state), source))
        else:
            passed_over.append((source.model, trouble))
    if not clean:
        chosen = able[0]
        because = "no model is clean in the whole range, and this one holds most of it"
        passed_over = [each for each in passed_over if each[0] != chosen.model]
        return chosen, Choice(dataset.name, purpose, chosen.model, because, tuple(passed_over), need.dates)
    rows, chosen = min(clean, key=lambda each: each[0])
    passed_over += [(source.model, f"has more rows, about {n:,}") for n, source in clean if source is not chosen]
    only = "is the only one that can" if len(clean) == 1 else "has the fewest rows"
    because = f"{only}, about {rows:,} in the range"
    return chosen, Choice(dataset.name, purpose, chosen.model, because, tuple(passed_over), need.dates)


def _lack(model: SemanticModel, dataset: Dataset, source: Source, need: Need) -> str | None:
    """What a source does not have, in words."""
    if need.grain == "hour" and source.hour is None:
        return "has no hours"
    if need.grain != "hour" and source.hour is not None and source is not dataset.sources[0]:
        return "is for hours"
    dimensions = [name for name in need.dimensions if not model.has_dimension(source, model.dimensions[name])]
    if dimensions:
        return f"has no {', '.join(dimensions)}"
    measures = [name for name in need.measures if not reading_of(model, source, dataset, model.measures[name])]
    return f"cannot give {', '.join(measures)}" if measures else None


def _trouble(
    model: SemanticModel, source: Source, dataset: Dataset, dates: DateRange, states: Mapping[str, ModelState]
) -> str | None:
    """Why a source that has everything is not to be read all the same."""
    fact = states.get(dataset.fact, NOTHING)
    state = states.get(source.model, NOTHING)
    if not model.model_of(source).is_dated:
        if UNDATED not in state.published:
            return "has never been made"
        if UNDATED in state.dirty:
            return f"is dirty: {state.dirty[UNDATED]}"
        if source.window_days is not None:
            begin = fact.newest - timedelta(days=source.window_days - 1) if fact.newest else dates.last
            if dates.first < begin:
                return f"holds {source.window_days} days, from {begin}"
        state = fact
    for kind, found in (("is dirty", state.dirty), ("failed", state.failed)):
        if days := _within(found, dates):
            return f"{kind} on {days[0]}{f' and {len(days) - 1} more' if len(days) > 1 else ''}"
    unmade = _unmade(source, dataset, states, dates)
    return f"lacks {unmade}, which {dataset.fact} has" if unmade else None


def _unmade(source: Source, dataset: Dataset, states: Mapping[str, ModelState], dates: DateRange) -> date | None:
    """A date that the fact has and a dated source (the hourly one) does not."""
    own = states.get(source.model, NOTHING).published
    if UNDATED in own or source.model == dataset.fact:
        return None
    fact = states.get(dataset.fact, NOTHING).published
    return next((day for day in sorted(fact) if dates.first <= day <= dates.last and day not in own), None)


def _within(days: Collection[date], dates: DateRange) -> list[date]:
    return sorted(day for day in days if dates.first <= day <= dates.last)


def _rows(source: Source, dates: DateRange, state: ModelState, fact: ModelState) -> int:
    """About how many rows a range has; of a mart its share of the window."""
    whole = state.published.get(UNDATED)
    if whole is None:
        return sum(each.rows for day, each in state.published.items() if dates.first <= day <= dates.last)
    if source.window_days is None or fact.newest is None:
        return whole.rows
    begin = fact.newest - timedelta(days=source.window_days - 1)
    overlap = (min(dates.last, fact.newest) - max(dates.first, begin)).days + 1
    return whole.rows * max(0, overlap) // source.window_days
