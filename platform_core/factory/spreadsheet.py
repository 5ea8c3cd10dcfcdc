"""Excel files whose bytes depend on nothing but their content."""

import io
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

_STAMP = (2020, 1, 1, 0, 0, 0)
_WHEN = datetime(2020, 1, 1)  # noqa: DTZ001 - openpyxl writes file properties without a zone


@dataclass(frozen=True, slots=True)
class DailyReport:
    """A report as plants keep it: a title, a line below it, a header whose last columns share headings, rows, sums."""

    title: str
    subtitle: str
    header: Sequence[str]
    groups: Mapping[str, Sequence[str]]
    """The last columns by the heading that they share."""
    rows: Sequence[Sequence[Any]]
    total_label: str
    totalled: range
    """Places (from 0) of the columns that the last row sums up."""


def write_daily_report(path: Path, report: DailyReport) -> None:
    """Write it with the merged cells that such reports have: the title, and a header of two rows."""
    from openpyxl import Workbook
    from openpyxl.styles import Font

    book = Workbook()
    book.properties.created = _WHEN
    sheet = book.active
    if sheet is None:
        raise ValueError("a new workbook has one sheet")
    grouped = [name for names in report.groups.values() for name in names]
    width = len(report.header) + len(grouped)
    sheet.title = "생산일보"
    sheet.append([report.title])
    sheet.merge_cells(start_row=1, start_column=1, end_row=1, end_column=width)
    sheet["A1"].font = Font(bold=True, size=16)
    sheet.append([report.subtitle])
    sheet.append([])
    headings = [heading for group, names in report.groups.items() for heading in (group, *[None] * (len(names) - 1))]
    sheet.append([*report.header, *headings])
    sheet.append([None] * len(report.header) + grouped)
    for column in range(1, len(report.header) + 1):
        sheet.merge_cells(start_row=4, start_column=column, end_row=5, end_column=column)
    first = len(report.header) + 1
    for names in report.groups.values():
        sheet.merge_cells(start_row=4, start_column=first, end_row=4, end_column=first + len(names) - 1)
        first += len(names)
    for row in report.rows:
        sheet.append(list(row))
    sheet.append(_totals(report))
    buffer = io.BytesIO()
    book.save(buffer)
    path.write_bytes(_without_times(buffer.getvalue()))


def _totals(report: DailyReport) -> list[Any]:
    sums = [sum(row[place] for row in report.rows) for place in report.totalled]
    return [report.total_label, *[None] * (report.totalled.start - 1), *sums]


def _without_times(content: bytes) -> bytes:
    """The same archive with fixed times, of its members and of the last change."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "docProps/core.xml":
                data = re.sub(rb"(<dcterms:modified[^>]*>)[^<]*", rb"\g<1>2020-01-01T00:00:00Z", data)
            new.writestr(zipfile.ZipInfo(name, _STAMP), data, zipfile.ZIP_DEFLATED)
    return target.getvalue()
