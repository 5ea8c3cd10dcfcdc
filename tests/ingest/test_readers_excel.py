"""Workbooks as plants keep them."""

import io
from collections.abc import Callable
from datetime import date, datetime, time
from typing import Any

import pytest
from openpyxl import Workbook
from openpyxl.worksheet.worksheet import Worksheet

from platform_core.ingest.contracts import Rejection, SourceRow
from platform_core.ingest.readers import FileOptions, TabularReader, UnreadableFileError, open_reader

MORNING = datetime.fromisoformat("2025-03-05T09:15:00")


def workbook(*fill: Callable[[Worksheet], None]) -> io.BytesIO:
    book = Workbook()
    book.remove(book.worksheets[0])
    for number, each in enumerate(fill, 1):
        each(book.create_sheet(f"S{number}"))
    stream = io.BytesIO()
    book.save(stream)
    stream.seek(0)
    return stream


def table(*rows: tuple[Any, ...], merge: tuple[str, ...] = ()) -> Callable[[Worksheet], None]:
    def fill(sheet: Worksheet) -> None:
        for row in rows:
            sheet.append(row)
        for area in merge:
            sheet.merge_cells(area)

    return fill


def fields(reader: TabularReader) -> list[dict[str, Any]]:
    rows = list(reader.rows())
    assert not [row for row in rows if isinstance(row, Rejection)]
    return [dict(row.fields) for row in rows if isinstance(row, SourceRow)]


def test_titles_are_passed_and_dates_are_dates() -> None:
    rows = table(
        ("2025년 3월 생산일보", None, None, None),
        ("작성자: 김반장",),
        (),
        ("일자", "시각", "라인", "수량"),
        (date(2025, 3, 5), time(8, 30), "L1", 10),
        (MORNING, time(0, 0), "L2", 1.5),
        merge=("A1:D1",),
    )
    [reader] = open_reader(workbook(rows))
    found = list(reader.rows())
    assert [row.number for row in found] == [5, 6]
    assert fields(reader) == [
        {"일자": date(2025, 3, 5), "시각": time(8, 30), "라인": "L1", "수량": 10.0},
        {"일자": MORNING, "시각": time(0, 0), "라인": "L2", "수량": 1.5},
    ]


def test_merged_cells_count_for_all_their_rows_and_headers_of_two_rows_are_joined() -> None:
    rows = table(
        ("라인", "품번", "불량유형", None, "비고"),
        (None, None, "치수", "외관", None),
        ("L1", "P1", 1, 2, None),
        (None, "P2", 3, None, "x"),
        merge=("A1:A2", "B1:B2", "C1:D1", "E1:E2", "A3:A4"),
    )
    [reader] = open_reader(workbook(rows))
    assert fields(reader) == [
        {"라인": "L1", "품번": "P1", "불량유형 치수": 1.0, "불량유형 외관": 2.0, "비고": None},
        {"라인": "L1", "품번": "P2", "불량유형 치수": 3.0, "불량유형 외관": None, "비고": "x"},
    ]


def test_a_group_above_columns_is_found_without_cells_merged_downwards() -> None:
    rows = table(
        ("라인", "품번", "불량유형", None),
        (None, None, "치수", "외관"),
        ("L1", "P1", 1, 2),
        merge=("C1:D1",),
    )
    [reader] = open_reader(workbook(rows))
    assert reader.headers() == ["라인", "품번", "불량유형 치수", "불량유형 외관"]


def test_merged_cells_stay_as_they_are_where_the_options_say_so() -> None:
    rows = table(("라인", "계획"), ("L1", 100), (None, None), ("L2", 5), merge=("A2:A3", "B2:B3"))
    [reader] = open_reader(workbook(rows), FileOptions(fill_merged=("라인",)))
    assert [row["계획"] for row in fields(reader)] == [100.0, None, 5.0]
    assert [row["라인"] for row in fields(reader)] == ["L1", "L1", "L2"]


def test_each_sheet_is_a_load_of_its_own() -> None:
    readers = open_reader(workbook(table(("a", "b"), (1, 2)), table(("a", "b"), (3, 4)), table()), name="x.xlsx")
    assert [reader.name for reader in readers] == ["x.xlsx [S1]", "x.xlsx [S2]"]
    assert [fields(reader) for reader in readers] == [[{"a": 1.0, "b": 2.0}], [{"a": 3.0, "b": 4.0}]]


def test_cover_sheets_are_passed_when_the_mapping_says_what_it_looks_for() -> None:
    book = workbook(table(("표지",), ("결재", "승인")), table(("라인", "품번"), ("L1", "P1")))
    [reader] = open_reader(book, FileOptions(expected=("라인", "품번", "수량")))
    assert reader.headers() == ["라인", "품번"]


def test_sheets_are_chosen_by_pattern_and_an_unknown_one_is_an_error() -> None:
    sheets = (table(("a",), ("x",)), table(("a",), ("y",)))
    [reader] = open_reader(workbook(*sheets), FileOptions(sheets=("*2",)))
    assert fields(reader) == [{"a": "y"}]
    with pytest.raises(UnreadableFileError, match="No sheet is called 생산"):
        open_reader(workbook(*sheets), FileOptions(sheets=("생산",)))


def test_what_is_no_workbook_is_refused() -> None:
    with pytest.raises(UnreadableFileError, match="no workbook"):
        open_reader(io.BytesIO(b"PK\x03\x04 this is no archive"))
