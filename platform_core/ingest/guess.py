"""Proposing a mapping for a table nobody has described: by what the columns are called and by what stands in them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from platform_core.ingest.contracts import SourceRow
from platform_core.ingest.drafting import Draft, draft_text, quoted, values_text
from platform_core.ingest.mapping.conversion import converter, duration_unit
from platform_core.ingest.mapping.origins import rest_of
from platform_core.ingest.mapping.schema import FieldSpec
from platform_core.ingest.mapping.schema import Mapping as MappingFile
from platform_core.ingest.mapping.values import to_text
from platform_core.ingest.overlooked import foreign
from platform_core.ingest.readers import TabularReader
from platform_core.ingest.readers.headers import folded
from platform_core.ingest.record_types import RECORD_TYPES, RecordType
from platform_core.ingest.synonyms import vocabulary

SAMPLE_ROWS = 200
LEAST = 0.5
"""Confidence below which a column is not proposed."""
_LOSS = 0.25
"""What a column counts against a record type that has no place for it, where another type is made of such columns."""

_UNIT = re.compile(r"[(\[]\s*([^()\[\]]+?)\s*[)\]]\s*$")
_UNITS = {
    **dict.fromkeys(("시간", "h", "hr", "hour", "hours"), "hours"),
    **dict.fromkeys(("분", "min", "minutes", "m"), "minutes"),
    **dict.fromkeys(("초", "sec", "s", "seconds"), "seconds"),
}
_COMMA = re.compile(r"-?\d+,\d+|-?\d{1,3}(?:\.\d{3})+,\d+")
_POINT = re.compile(r"-?\d+\.\d+|-?\d{1,3}(?:,\d{3})+\.\d+")
_GROUPED_BY_COMMA = re.compile(r"-?\d{1,3}(?:,\d{3})+")
_GROUPED_BY_POINT = re.compile(r"-?\d{1,3}(?:\.\d{3})+")
_TOTAL_WORDS = frozenset({"합계", "소계", "총계", "계", "누계", "total", "subtotal", "sum"})
_LISTS = ("defect_details", "downtime_reasons")


@dataclass(frozen=True)
class Proposal:
    """A column for one payload field, how sure that is (0 to 1), and why."""

    field: str
    column: str
    confidence: float
    why: str


@dataclass(frozen=True)
class Guess:
    """A proposed mapping."""

    record_type: str
    proposals: tuple[Proposal, ...]
    yaml: str
    """The mapping's text, with a comment for each field, for a person to correct."""
    unused: tuple[str, ...]
    missing: tuple[str, ...]
    """Required fields for which nothing was found."""
    sure: Mapping[str, float]
    """How sure each payload field is, derived ones included."""
    derived: tuple[Proposal, ...] = ()
    """Fields that no column has of itself: built, computed or assumed; `column` is what the mapping says."""

    @property
    def confidence(self) -> float:
        """How sure the whole is: the mean over the required fields, a missing one counting 0."""
        required = [name for name, wanted in RECORD_TYPES[self.record_type].fields.items() if wanted.required]
        return round(sum(self.sure.get(name, 0.0) for name in required) / max(1, len(required)), 3)


@dataclass(frozen=True)
class _Column:
    name: str
    plain: str
    unit: str | None
    values: tuple[Any, ...]
    decimal: str = "."


def guess_reader(reader: TabularReader, *, record_type: str | None = None, name: str = "proposed") -> Guess:
    """A mapping for a reader's table, from its columns and its first rows."""
    rows = [row.fields for row in islice(reader.rows(), SAMPLE_ROWS) if isinstance(row, SourceRow)]
    return guess(reader.headers(), rows, record_type=record_type, name=name)


def guess(
    headers: Sequence[str],
    rows: Sequence[Mapping[str, Any]],
    *,
    record_type: str | None = None,
    name: str = "proposed",
) -> Guess:
    """A mapping for columns and sample rows; without `record_type`, of the kind that fits best."""
    decimal = _decimal_of(rows)
    columns = [_column(header, rows, decimal) for header in headers]
    kinds = [RECORD_TYPES[record_type]] if record_type else list(RECORD_TYPES.values())
    found = max(
        ((kind, _proposals(kind, columns)) for kind in kinds),
        key=lambda item: _fit(item[0], item[1], columns),
    )
    return _finished(*found, columns, name)


def _decimal_of(rows: Sequence[Mapping[str, Any]]) -> str:
    """A comma where some number can only be read with a decimal comma and none needs a point."""
    texts = [value.strip() for row in rows for value in row.values() if isinstance(value, str)]
    has_comma = any(_COMMA.fullmatch(text) and not _GROUPED_BY_COMMA.fullmatch(text) for text in texts)
    has_point = any(_POINT.fullmatch(text) and not _GROUPED_BY_POINT.fullmatch(text) for text in texts)
    return "," if has_comma and not has_point else "."


def _column(header: str, rows: Sequence[Mapping[str, Any]], decimal: str) -> _Column:
    unit = _UNIT.search(header)
    known = _UNITS.get(unit.group(1).strip().lower()) if unit else None
    plain = header[: unit.start()] if unit and (known or unit.group(1) in ("개", "EA", "ea", "pcs", "%")) else header
    values = tuple(value for row in rows if (value := row.get(header)) is not None and str(value).strip())
    return _Column(header, plain.strip(), known, values, decimal)


def _proposals(kind: RecordType, columns: Sequence[_Column]) -> list[Proposal]:
    """The best column for each field, every column for one field at most."""
    scored: list[Proposal] = []
    for target in kind.fields:
        for column in columns:
            closeness, why = _closeness(kind, target, column)
            fit = _type_fit(kind, target, column) if closeness >= LEAST else 0.0
            confidence = round(closeness * (0.5 + 0.5 * fit), 3)
            if confidence >= LEAST:
                scored.append(Proposal(target, column.name, confidence, f"{why}{_evidence(fit, column)}"))
    chosen: list[Proposal] = []
    for proposal in sorted(scored, key=lambda one: -one.confidence):
        taken = {one.column for one in chosen} | {one.field for one in chosen}
        if proposal.column not in taken and proposal.field not in taken:
            chosen.append(proposal)
    order = list(kind.fields)
    return sorted(chosen, key=lambda one: order.index(one.field))


def _closeness(kind: RecordType, target: str, column: _Column) -> tuple[float, str]:
    """How near a column's name is to a field's names, 0 to 1."""
    name = _squeezed(column.plain)
    last = _squeezed(column.plain.rsplit(" ", 1)[-1])
    names = [_squeezed(word) for word in (target, *vocabulary().synonyms.get(kind.name, {}).get(target, ()))]
    if not name:
        return 0.0, ""
    if name == names[0]:
        return 1.0, "the field's own name"
    if name in names:
        # The first synonyms are the plainest; later ones mean other things more often.
        return 0.97 - 0.005 * min(10, names.index(name)), "a name it goes by"
    if last in names:
        return 0.85, "the last part is a name it goes by"
    near = max(SequenceMatcher(None, name, other).ratio() for other in names)
    longest = max((len(other) for other in names if len(other) > 1 and (other in name)), default=0)
    part = 0.6 + 0.25 * longest / len(name) if longest else 0.0
    if near >= 0.8 or part:
        return (near * 0.9, "nearly a name it goes by") if near * 0.9 >= part else (part, "holds a name it goes by")
    return 0.0, ""


def _squeezed(name: str) -> str:
    return re.sub(r"[\s_\-./()\[\]]", "", folded(name))


def _type_fit(kind: RecordType, target: str, column: _Column) -> float:
    """The share of sample values that are of the field's type; a half when there are none."""
    if not column.values:
        return 0.5
    wanted = kind.fields[target]
    if wanted.type == "text":
        return 0.6 if wanted.values is None and all(_is_decimal(value) for value in column.values) else 1.0
    convert = converter(
        target, wanted.type, FieldSpec(constant=0), _blank_mapping(kind, column.decimal), ZoneInfo("UTC")
    )
    if wanted.type == "timestamp" and all(_is_clock(value) for value in column.values):
        return 0.9
    return sum(_converts(convert, value) for value in column.values) / len(column.values)


def _blank_mapping(kind: RecordType, decimal: str) -> MappingFile:
    fields: dict[str, Any] = {name: {"constant": None} for name, wanted in kind.fields.items() if wanted.required}
    said = {"source_system": "guess", "record_type": kind.name, "fields": fields, "numbers": {"decimal": decimal}}
    return MappingFile.model_validate(said)


def _converts(convert: Any, value: Any) -> bool:
    try:
        return convert(value) is not None
    except (ValueError, ArithmeticError, TypeError):
        return False


def _is_decimal(value: Any) -> bool:
    return isinstance(value, float) and not value.is_integer()


def _is_clock(value: Any) -> bool:
    return bool(re.fullmatch(r"\s*(?:오전|오후)?\s*\d{1,2}:\d{2}(?::\d{2})?\s*", str(value)))


def _evidence(fit: float, column: _Column) -> str:
    if not column.values:
        return ", no values to go by"
    shown = ", ".join(dict.fromkeys(str(value)[:20] for value in column.values[:30]))
    return f", {fit:.0%} of its values fit: {' '.join(shown.split())[:60]}"


def _fit(kind: RecordType, proposals: Sequence[Proposal], columns: Sequence[_Column]) -> float:
    """How well a record type explains a table: by its required fields, the share of columns it uses, and its losses."""
    required = [name for name, wanted in kind.fields.items() if wanted.required]
    by_field = {proposal.field: proposal.confidence for proposal in proposals}
    covered = sum(by_field.get(name, 0.0) for name in required) / max(1, len(required))
    used = sum(proposal.confidence for proposal in proposals) / max(1, len(columns))
    taken = {proposal.column for proposal in proposals}
    lost = foreign(kind.name, [column.name for column in columns if column.name not in taken])
    return covered + used - _LOSS * len(lost)


def _finished(kind: RecordType, proposals: list[Proposal], columns: Sequence[_Column], name: str) -> Guess:
    draft = Draft(decimal=columns[0].decimal if columns else ".")
    by_name = {column.name: column for column in columns}
    for proposal in proposals:
        if proposal.field not in _LISTS:
            draft.lines[proposal.field] = _spec_text(proposal.field, by_name[proposal.column])
            draft.comments[proposal.field] = f"{proposal.confidence:.0%}: {proposal.why}"
            draft.used.add(proposal.column)
    if kind.name == "work_order":
        _add_groups(draft, columns)
        _add_times(draft, proposals, columns)
        _add_quantities(draft)
        _add_number(draft, proposals)
    missing = tuple(one for one, wanted in kind.fields.items() if wanted.required and one not in draft.lines)
    for one in missing:
        draft.lines[one] = '{from: "?"}'
        draft.comments[one] = "0%: no column looks like this; write its name in place of the question mark"
    unused = tuple(column.name for column in columns if column.name not in draft.used)
    draft.totals = _totals(columns, draft.used)
    sure = {one: int(comment.split("%")[0]) / 100 for one, comment in draft.comments.items()}
    text = draft_text(kind, draft, unused, name)
    as_found = {p.field for p in proposals if draft.lines.get(p.field) == _spec_text(p.field, by_name[p.column])}
    derived = tuple(
        Proposal(one, draft.lines[one], sure[one], draft.comments[one].partition(": ")[2])
        for one in kind.fields
        if one in draft.lines and one not in as_found and one not in missing
    )
    return Guess(kind.name, tuple(proposals), text, unused, missing, sure, derived)


def _spec_text(target: str, column: _Column) -> str:
    parts = [f"from: {quoted(column.name)}"]
    wanted = duration_unit(target)
    if wanted and column.unit and column.unit != wanted:
        parts.append(f"unit: {column.unit}")
    texts = [to_text(value) or "" for value in column.values if isinstance(value, str | int | float)]
    values = values_text(target, texts)
    return f"{{{', '.join(parts)}{values}}}" if values or len(parts) > 1 else quoted(column.name)


def _totals(columns: Sequence[_Column], used: set[str]) -> dict[str, list[str]]:
    """Words such as `소계` that stand where a record has a code or a date: rows of totals, which are no records."""
    found: dict[str, list[str]] = {}
    for column in columns:
        words = list(dict.fromkeys(str(value).strip() for value in column.values))
        words = [word for word in words if re.sub(r"\s", "", word).casefold() in _TOTAL_WORDS]
        if words and column.name in used:
            found[column.name] = words
    return found


def _add_groups(draft: Draft, columns: Sequence[_Column]) -> None:
    """Columns under one heading, such as `불량유형 치수불량`, as a list."""
    for target in _LISTS:
        for group in vocabulary().synonyms["work_order"][target]:
            under = [c.name for c in columns if folded(c.name).startswith(folded(group)) and " " in c.name]
            if under and target not in draft.lines:
                labels = [rest_of(name, group) for name in under]
                draft.lines[target] = f"{{columns_under: {quoted(group)}{values_text(target, labels)}}}"
                draft.comments[target] = f"90%: {len(under)} columns stand under this heading"
                draft.used.update(under)


def _add_times(draft: Draft, proposals: Sequence[Proposal], columns: Sequence[_Column]) -> None:
    """Times of day joined with the date column, or made from it where a report has no times."""
    dates = {_squeezed(word) for word in vocabulary().date_names}
    day = next((column for column in columns if _squeezed(column.plain) in dates), None)
    if day is None:
        return
    clocks = {p.field: p.column for p in proposals if p.field in ("start_time", "end_time")}
    values = {column.name: column.values for column in columns}
    for target, column in clocks.items():
        if values[column] and all(_is_clock(value) or not hasattr(value, "date") for value in values[column]):
            if not all(_is_clock(value) for value in values[column]):
                continue
            after = ", after: start_time" if target == "end_time" else ""
            draft.lines[target] = f"{{join: [{quoted(day.name)}, {quoted(column)}]{after}}}"
            draft.comments[target] += f"; a time of day, so joined with {day.name}"
    if "start_time" not in draft.lines:
        draft.lines["start_time"] = f"""{{expression: "concat(date(field('{day.name}')), ' 08:00')"}}"""
        draft.comments["start_time"] = f"50%: no column of times, so {day.name} at 08:00"
    if "end_time" not in draft.lines:
        minutes = [name for name in ("runtime_minutes", "downtime_minutes") if name in draft.lines]
        longer = f"plus_minutes(start_time, total({', '.join(minutes)}))" if minutes else "start_time"
        draft.lines["end_time"] = f'{{expression: "{longer}"}}'
        draft.comments["end_time"] = "50%: no column of times, so the start and the minutes that are known"
    draft.business_date = day.name
    draft.used.add(day.name)


def _add_quantities(draft: Draft) -> None:
    formulas = {
        "total_qty": ("good_qty + defect_qty", {"good_qty", "defect_qty"}),
        "good_qty": ("total_qty - defect_qty", {"total_qty", "defect_qty"}),
        "defect_qty": ("total_qty - good_qty", {"total_qty", "good_qty"}),
    }
    for target, (formula, needed) in formulas.items():
        if target not in draft.lines and needed <= set(draft.lines):
            draft.lines[target] = f"{{expression: {formula}}}"
            draft.comments[target] = "90%: follows from the other two"
            return


def _add_number(draft: Draft, proposals: Sequence[Proposal]) -> None:
    if "work_order_id" in draft.lines or draft.business_date is None:
        return
    parts = [f"date(field('{draft.business_date}'))"]
    parts += [name for name in ("line_code", "product_code", "shift") if name in draft.lines]
    # The same product can run twice in a shift, so the start belongs to what tells rows apart.
    parts += [f"clock(field('{p.column}'))" for p in proposals if p.field == "start_time"]
    joined = ", '-', ".join(parts)
    draft.lines["work_order_id"] = f'{{expression: "concat({joined})"}}'
    draft.comments["work_order_id"] = "60%: no number, so what tells the rows apart; check that it does"
