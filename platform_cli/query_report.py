"""An answer as a table for people, as plain values for JSON, and as a file."""

import csv
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.cells import cell_len

from platform_cli.errors import OutputNotWritableError
from platform_core.bi.contracts import Answer, Cell, Column, Doubt, Explanation, Grain
from platform_core.bi.periods import bucket_name
from platform_core.bi.service import describe

_BARS = "▁▂▃▄▅▆▇█"
_MAX_SPARKLINES = 12
_WORDS = {
    "en": {
        "total": "Total",
        "none": "No rows.",
        "data": "Data",
        "trusted": "Trusted",
        "doubts": "Not to be trusted yet",
    },
    "ko": {
        "total": "합계",
        "none": "행이 없습니다.",
        "data": "데이터",
        "trusted": "신뢰할 수 있음",
        "doubts": "아직 신뢰할 수 없음",
    },
}


def lines(answer: Answer, language: str) -> Iterator[str]:
    """The table, a sparkline for each series, what stands behind it, and a note when rows were left out."""
    words = _WORDS.get(language, _WORDS["en"])
    grain = answer.explanation.plan.statement.grain
    if not answer.rows and answer.totals is None:
        yield words["none"]
    else:
        yield from _table(answer, grain, words)
    if grain is not None:
        yield from _sparklines(answer)
    yield ""
    dates = answer.explanation.plan.dates
    models = ", ".join(f"{each.model} {each.version}" for each in answer.trust.versions)
    yield f"{words['data']}: {dates.first} - {dates.last}, {models}"
    yield from _trust(answer.trust.doubts, words)
    if answer.note is not None:
        yield answer.note


def explained(explanation: Explanation) -> Iterator[str]:
    """Which models answer and why, the SQL with its values, and what stands behind it."""
    plan = explanation.plan
    yield f"Dates: {plan.dates.first} - {plan.dates.last}"
    if plan.compared_dates is not None:
        yield f"Compared with: {plan.compared_dates.first} - {plan.compared_dates.last}"
    for choice in plan.choices:
        yield f"{choice.dataset} ({choice.purpose}): {choice.model} {choice.because}"
        yield from (f"  not {name}: {reason}" for name, reason in choice.passed_over)
    yield ""
    yield explanation.sql.strip()
    yield ""
    yield from (f"{name} = {value}" for name, value in explanation.parameters.items())
    yield from _trust(explanation.trust.doubts, _WORDS["en"])


def plain(value: Cell) -> Any:
    """A cell as JSON has it: numbers as numbers, dates as text."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, date):
        return value.isoformat()
    return value


def as_json(answer: Answer) -> dict[str, Any]:
    """Columns, rows and trust as plain values."""
    trust = answer.trust
    return {
        "columns": [
            {
                "name": column.name, "kind": column.kind, "label": column.label, "unit": column.unit,
                "format": column.format, "direction": column.direction, "target": plain(column.target),
                "role": column.role,
            }
            for column in answer.columns
        ],
        "rows": [[plain(cell) for cell in row] for row in answer.rows],
        "totals": [plain(cell) for cell in answer.totals] if answer.totals is not None else None,
        "total_rows": answer.total_rows,
        "note": answer.note,
        "dates": [plain(answer.explanation.plan.dates.first), plain(answer.explanation.plan.dates.last)],
        "trust": {
            "trusted": trust.is_trusted,
            "versions": [
                {"model": each.model, "version": each.version, "published_at": plain(each.published_at)}
                for each in trust.versions
            ],
            "doubts": [
                {"kind": each.kind, "model": each.model, "dates": [plain(day) for day in each.dates],
                 "reason": each.reason}
                for each in trust.doubts
            ],
        },
    }  # fmt: skip


def write(answer: Answer, path: Path) -> None:
    """Write all rows to a .csv or .xlsx file; raises OutputNotWritableError for another kind or place."""
    writers = {".csv": _write_csv, ".xlsx": _write_excel}
    writer = writers.get(path.suffix.lower())
    if writer is None:
        raise OutputNotWritableError(f"{path} cannot be written: rows go to a .csv or .xlsx file.")
    try:
        writer(answer, path)
    except OSError as error:
        raise OutputNotWritableError(f"{path} cannot be written: {error.strerror or error}.") from error


def _write_csv(answer: Answer, path: Path) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as file:  # Excel needs the mark to read Korean
        writer = csv.writer(file)
        writer.writerow([column.name for column in answer.columns])
        writer.writerows([_harmless(plain(cell)) for cell in row] for row in answer.rows)


def _harmless(value: Any) -> Any:
    """A text that a spreadsheet would run as a formula is marked as text."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def _write_excel(answer: Answer, path: Path) -> None:
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    sheet = book.create_sheet("Takt")
    sheet.append([_title(column) for column in answer.columns])
    for row in answer.rows:
        sheet.append([_excel_cell(sheet, cell) for cell in row])
    book.save(path)


def _excel_cell(sheet: Any, value: Cell) -> Any:
    from openpyxl.cell import WriteOnlyCell

    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    if not isinstance(value, str):
        return float(value) if isinstance(value, Decimal) else value
    cell = WriteOnlyCell(sheet, value=_printable(value))
    cell.data_type = "s"  # never a formula
    return cell


def _printable(value: str) -> str:
    return "".join(each for each in value if each.isprintable() or each in "\n\t")


def _table(answer: Answer, grain: Grain | None, words: dict[str, str]) -> Iterator[str]:
    columns = answer.columns
    texts = [[_text(cell, column, grain) for cell, column in zip(row, columns, strict=True)] for row in answer.rows]
    if answer.totals is not None:
        total = [_text(cell, column, grain) for cell, column in zip(answer.totals, columns, strict=True)]
        total[0] = words["total"]
        texts.append(total)
    titles = [_title(column) for column in columns]
    widths = [max(map(cell_len, column)) for column in zip(titles, *texts, strict=True)]
    right = [column.kind == "metric" for column in columns]
    yield _line(titles, widths, right)
    yield "  ".join("-" * width for width in widths)
    yield from (_line(text, widths, right) for text in texts)


def _line(texts: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    """One row, by the width that a terminal gives each character: a Korean one takes two places."""
    padded = [
        " " * (width - cell_len(text)) + text if is_right else text + " " * (width - cell_len(text))
        for text, width, is_right in zip(texts, widths, right, strict=True)
    ]
    return "  ".join(padded).rstrip()


def _title(column: Column) -> str:
    unit = {"percent": "%", "duration": "h:mm" if column.unit == "minute" else column.unit}.get(
        column.format or "", column.unit
    )
    return column.label if unit is None or column.label.endswith("%") else f"{column.label} [{unit}]"


def _text(cell: Cell, column: Column, grain: Grain | None) -> str:
    if cell is None:
        return "-"
    if isinstance(cell, datetime):
        return f"{cell:%Y-%m-%d %H:%M}Z"
    if isinstance(cell, date):
        return bucket_name(cell, grain)
    return _number(cell, column) if isinstance(cell, Decimal) else str(cell)


def _number(value: Decimal, column: Column) -> str:
    sign = "+" if column.role in ("change", "change_ratio") and value > 0 else ""
    match column.format:
        case "percent":
            return f"{sign}{value * 100:z,.1f}"  # z: never -0.0
        case "integer" | "currency":
            return f"{sign}{value:z,.0f}"
        case "duration" if column.unit == "minute":
            minutes = round(abs(value))
            return f"{'-' if value < 0 and minutes else sign}{minutes // 60}:{minutes % 60:02}"
        case _:
            return f"{sign}{value:z,.2f}"


def _sparklines(answer: Answer) -> Iterator[str]:
    """How each series went, one line for each metric and combination of dimensions, if they are few."""
    dimensions = [n for n, column in enumerate(answer.columns) if column.kind == "dimension"]
    shown = [n for n, column in enumerate(answer.columns) if column.kind == "metric" and column.role == "value"]
    series: dict[tuple[Cell, ...], list[tuple[Cell, ...]]] = {}
    for row in sorted(answer.rows, key=lambda each: each[0]):
        series.setdefault(tuple(row[n] for n in dimensions), []).append(row)
    if not 0 < len(series) * len(shown) <= _MAX_SPARKLINES or max(map(len, series.values())) < 3:
        return
    yield ""
    for key, rows in series.items():
        for n in shown:
            name = " ".join([answer.columns[n].label, *("-" if part is None else str(part) for part in key)])
            yield f"{_sparkline([row[n] for row in rows])}  {name}"


def _sparkline(values: Sequence[Cell]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return " " * len(values)
    low, high = min(known), max(known)
    span = high - low
    return "".join(
        " " if value is None else _BARS[int((value - low) / span * (len(_BARS) - 1)) if span else 3] for value in values
    )


def _trust(doubts: Sequence[Doubt], words: dict[str, str]) -> Iterator[str]:
    if not doubts:
        yield f"{words['trusted']}."
        return
    yield f"{words['doubts']}:"
    yield from (f"  ! {describe(doubt)}" for doubt in doubts)
