"""Excel files whose bytes depend on nothing but their content."""

import io
import re
import zipfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

_STAMP = (2020, 1, 1, 0, 0, 0)
_WHEN = datetime(2020, 1, 1)  # noqa: DTZ001 - openpyxl writes file properties without a zone


def write_daily_report(
    path: Path, title: str, subtitle: str, header: Sequence[str], rows: Sequence[Sequence[Any]]
) -> None:
    """A report as plants keep it: a merged title, who signed it, an empty row, the header, the rows, and a total."""
    from openpyxl import Workbook
    from openpyxl.styles import Font

    book = Workbook()
    book.properties.created = _WHEN
    sheet = book.active
    if sheet is None:
        raise ValueError("a new workbook has one sheet")
    sheet.title = "생산일보"
    sheet.append([title])
    sheet.merge_cells(start_row=1, start_column=1, end_row=1, end_column=len(header))
    sheet["A1"].font = Font(bold=True, size=16)
    sheet.append([subtitle])
    sheet.append([])
    sheet.append(list(header))
    for row in rows:
        sheet.append(list(row))
    buffer = io.BytesIO()
    book.save(buffer)
    path.write_bytes(_without_times(buffer.getvalue()))


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
