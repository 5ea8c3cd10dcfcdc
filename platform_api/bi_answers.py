"""Answers about metrics as JSON has them: numbers as numbers, dates as text."""

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, Field

from platform_core.bi.contracts import Answer, Cell, Column, Explanation, Trust

Plain = str | int | float | None


class ColumnOut(BaseModel):
    """What a column is; `role` tells a value from its comparison."""

    name: str
    kind: str
    label: str
    unit: str | None
    format: str | None
    direction: str | None
    target: float | None
    role: str


class VersionOut(BaseModel):
    """The version of a model that the numbers rest on."""

    model: str
    version: str
    published_at: datetime | None


class DoubtOut(BaseModel):
    """Why a number may be wrong."""

    kind: str
    model: str
    dates: list[date]
    reason: str


class TrustOut(BaseModel):
    """What stands behind the numbers."""

    trusted: bool
    versions: list[VersionOut]
    doubts: list[DoubtOut]


class Queried(BaseModel):
    """Rows under columns; `total_rows` counts those too that a limit left out, and `note` says so."""

    columns: list[ColumnOut]
    rows: list[list[Plain]]
    totals: list[Plain] | None
    total_rows: int
    note: str | None
    first_date: date
    last_date: date
    trust: TrustOut


class ChoiceOut(BaseModel):
    """Which model answers for a dataset, why, and why not the others."""

    dataset: str
    purpose: str
    model: str
    because: str
    passed_over: dict[str, str]


class Explained(BaseModel):
    """How a question would be answered."""

    models: list[ChoiceOut]
    sql: str
    parameters: dict[str, Any] = Field(description="The values that are bound to the statement.")
    first_date: date
    last_date: date
    trust: TrustOut


def queried(answer: Answer) -> Queried:
    """An answer."""
    dates = answer.explanation.plan.dates
    return Queried(
        columns=[_column(column) for column in answer.columns],
        rows=[_plain(row) for row in answer.rows],
        totals=None if answer.totals is None else _plain(answer.totals),
        total_rows=answer.total_rows,
        note=answer.note,
        first_date=dates.first,
        last_date=dates.last,
        trust=_trust(answer.trust),
    )


def explained(explanation: Explanation) -> Explained:
    """An explanation."""
    plan = explanation.plan
    choices = [
        ChoiceOut(
            dataset=choice.dataset,
            purpose=choice.purpose,
            model=choice.model,
            because=choice.because,
            passed_over=dict(choice.passed_over),
        )
        for choice in plan.choices
    ]
    return Explained(
        models=choices,
        sql=explanation.sql,
        parameters=dict(explanation.parameters),
        first_date=plan.dates.first,
        last_date=plan.dates.last,
        trust=_trust(explanation.trust),
    )


def _column(column: Column) -> ColumnOut:
    return ColumnOut(
        name=column.name,
        kind=column.kind,
        label=column.label,
        unit=column.unit,
        format=column.format,
        direction=column.direction,
        target=None if column.target is None else float(column.target),
        role=column.role,
    )


def _trust(trust: Trust) -> TrustOut:
    return TrustOut(
        trusted=trust.is_trusted,
        versions=[
            VersionOut(model=each.model, version=each.version, published_at=each.published_at)
            for each in trust.versions
        ],
        doubts=[
            DoubtOut(kind=each.kind, model=each.model, dates=list(each.dates), reason=each.reason)
            for each in trust.doubts
        ],
    )


def _plain(cells: Iterable[Cell]) -> list[Plain]:
    return [_cell(cell) for cell in cells]


def _cell(cell: Cell) -> Plain:
    if isinstance(cell, Decimal):
        return int(cell) if cell == cell.to_integral_value() else float(cell)
    return cell.isoformat() if isinstance(cell, date) else cell
