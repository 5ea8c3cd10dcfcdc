"""What stands behind an answer: versions of the models read, and everything that speaks against their dates."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from hashlib import sha256

from dbt_like_sql.semantics.model import SemanticModel
from platform_core.bi.contracts import NOTHING, DateRange, Doubt, ModelState, ModelVersion, Plan, Trust
from platform_core.bi.planner.choosing import UNDATED


def trust_of(
    plan: Plan,
    model: SemanticModel,
    states: Mapping[str, ModelState],
    checks: Mapping[str, Sequence[Doubt]],
    today: date,
) -> Trust:
    """The trust of a plan. A mart is doubted for its own state and for that of the fact it is made from."""
    versions: dict[str, ModelVersion] = {}
    doubts: dict[tuple[str, str, str], Doubt] = {}
    for choice in plan.choices:
        name, fact = choice.model, model.datasets[choice.dataset].fact
        versions[name] = _version(name, states.get(name, NOTHING), _read(plan, name))
        looks_ahead = model.datasets[choice.dataset].looks_ahead
        for relation in sorted({name, fact}):
            is_fact = relation == fact
            for doubt in _doubts(relation, states.get(relation, NOTHING), choice.dates, today, may_miss=is_fact):
                if doubt.kind == "missing" and looks_ahead:
                    continue  # a day on which nothing is due is never made
                known = doubts.get((doubt.kind, relation, doubt.reason))
                days = tuple(sorted({*doubt.dates, *(known.dates if known else ())}))
                doubts[(doubt.kind, relation, doubt.reason)] = Doubt(doubt.kind, relation, days, doubt.reason)
    found = [*doubts.values(), *(doubt for each in checks.values() for doubt in each)]
    return Trust(tuple(versions.values()), tuple(found))


def _read(plan: Plan, name: str) -> list[DateRange]:
    return [choice.dates for choice in plan.choices if choice.model == name]


def _version(name: str, state: ModelState, ranges: Sequence[DateRange]) -> ModelVersion:
    """One word for the versions of all dates read, which is another as soon as one of them is published anew."""
    read = {
        day: each
        for day, each in state.published.items()
        if day == UNDATED or any(dates.first <= day <= dates.last for dates in ranges)
    }
    words = "\n".join(f"{day} {each.version} {each.at}" for day, each in sorted(read.items()))
    newest = max((each.at for each in read.values() if each.at is not None), default=None)
    return ModelVersion(name, sha256(words.encode()).hexdigest()[:12], newest, sum(each.rows for each in read.values()))


def _doubts(relation: str, state: ModelState, dates: DateRange, today: date, *, may_miss: bool) -> Iterator[Doubt]:
    for reasons, kind in ((state.dirty, "dirty"), (state.failed, "failed")):
        by_reason: dict[str, list[date]] = {}
        for day, reason in sorted(reasons.items()):
            if day == UNDATED or dates.first <= day <= dates.last:
                by_reason.setdefault(reason, []).append(day)
        for reason, days in by_reason.items():
            yield Doubt(
                "dirty" if kind == "dirty" else "failed", relation, tuple(d for d in days if d != UNDATED), reason
            )
    if UNDATED in state.published or not may_miss:
        return
    last = min(dates.last, today)
    missing = [
        day
        for number in range((last - dates.first).days + 1)
        if (day := dates.first + timedelta(days=number)) not in state.published and day not in state.failed
    ]
    if missing:
        yield Doubt("missing", relation, tuple(missing), "never made")
