"""The same file once more changes nothing, whatever came in between; what did not land then still lands."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from itertools import count
from pathlib import Path

import pytest
from openpyxl import Workbook

from platform_core.ingest.contracts import Outcomes
from platform_core.ingest.service import Ingest, ingest_files
from platform_core.settings import Settings
from platform_core.tenants.contracts import Tenant
from platform_core.warehouse.connection import Warehouse, transaction
from tests.ingest.landing_help import NOW, counts, current, project, rows
from tests.ingest.test_commands import Takt, takt
from tests.ingest.test_service import MAPPING, line, write

__all__ = ["takt"]

LINES = """
source_system: plant
record_type: line
fields:
  line_code: 라인
  name: 이름
"""
LINE_NAMES = "select raw_data->>'name' from core.master_record where record_type = 'line' order by 1"


class Days:
    """One load a day."""

    def __init__(self, ingest: Ingest) -> None:
        self._ingest = ingest
        self._days: Iterator[int] = count()

    @property
    def ingest(self) -> Ingest:
        return replace(self._ingest, now=NOW + timedelta(hours=next(self._days)))

    def __call__(self, *paths: Path) -> Outcomes:
        return ingest_files(self.ingest, paths).outcomes

    def has(self, key: str, total: int) -> bool:
        return current(self._ingest.warehouse)[key] == ("2026-03-09", total)


@pytest.fixture
def mappings(settings: Settings, tenant: Tenant) -> Path:
    folder = settings.home / "tenants" / tenant.slug / "mappings"
    folder.mkdir(parents=True)
    (folder / "plant.yml").write_text(MAPPING, encoding="utf-8")
    return folder


@pytest.fixture
def load(warehouse: Warehouse, settings: Settings, tenant: Tenant, mappings: Path) -> Days:
    return Days(Ingest(warehouse, settings, project(), tenant, NOW))


def test_a_file_read_again_does_not_undo_the_correction_that_came_between(load: Days, tmp_path: Path) -> None:
    first = write(tmp_path / "semi.csv", line("W", 1003, 1002), line("V"))
    assert load(first) == counts(landed=2)
    assert load(write(tmp_path / "semi_corr.csv", line("W", 2003, 2002))) == counts(corrected=1)
    for path in (first, write(tmp_path / "copy.csv", line("W", 1003, 1002), line("V"))):
        assert load(path) == counts(unchanged=2)
        assert load.has("W", 2003)


def test_a_correction_in_other_bytes_counts_as_new(load: Days, tmp_path: Path) -> None:
    assert load(write(tmp_path / "semi.csv", line("W", 10))) == counts(landed=1)
    assert load(write(tmp_path / "semi.csv", line("W", 20, 19))) == counts(corrected=1)
    assert load(write(tmp_path / "semi.csv", line("W", 10), line("V"))) == counts(landed=1, corrected=1)
    assert load.has("W", 10)


def test_a_file_whose_rows_an_older_file_had_brought_already_changes_nothing_again(load: Days, tmp_path: Path) -> None:
    load(write(tmp_path / "monday.csv", line("W")))
    tuesday = write(tmp_path / "tuesday.csv", line("W"), line("V"))
    assert load(tuesday) == counts(unchanged=1, landed=1)
    assert load(tuesday) == counts(unchanged=2)
    load(write(tmp_path / "corrected.csv", line("W", 20, 19)))
    assert load(tuesday) == counts(unchanged=1, outdated=1)
    assert load(tuesday) == counts(unchanged=2)
    assert load.has("W", 20)


def test_a_record_that_comes_twice_in_a_file_keeps_its_later_row(load: Days, tmp_path: Path) -> None:
    twice = write(tmp_path / "twice.csv", line("W", 10), line("W", 20, 19))
    assert load(twice) == counts(landed=1, corrected=1)
    assert load(twice) == counts(unchanged=2)
    assert load.has("W", 20)


def test_a_mended_mapping_reads_the_same_file_as_new(load: Days, mappings: Path, tmp_path: Path) -> None:
    first = write(tmp_path / "semi.csv", line("W", 10, 9))
    load(first)
    load(write(tmp_path / "semi_corr.csv", line("W", 20, 19)))
    (mappings / "plant.yml").write_text(MAPPING + "  planned_qty: 생산\n", encoding="utf-8")
    assert load(first) == counts(corrected=1)
    assert load.has("W", 10)


def test_what_did_not_land_the_first_time_still_lands_and_is_no_newer_than_it_was(
    load: Days, warehouse: Warehouse, tmp_path: Path
) -> None:
    first = write(tmp_path / "first.csv", line("W", 10), line("V", "many"))
    assert load(first) == counts(landed=1, rejected=1)
    load(write(tmp_path / "corrected.csv", line("V", 30, 29)))
    assert load(first) == counts(unchanged=1, rejected=1)
    # As if a crash had lost it: it lands, with the version of the first arrival.
    with_version = "select source_version from core.record_identity where source_pk = 'W'"
    (before,) = rows(warehouse, with_version)
    with transaction(warehouse) as conn:
        conn.execute("delete from core.record_identity where source_pk = 'W'")
        conn.execute("delete from core.erp_mes_data where source_pk = 'W'")
    assert load(first) == counts(landed=1, rejected=1)
    assert rows(warehouse, with_version) == [before]
    # The row that is bad each time is as old as the file: what came after it has overtaken it.
    assert rows(warehouse, "select status, count(*) from core.rejected_record group by 1") == [("superseded", 3)]
    assert load.has("V", 30)


def test_master_data_read_again_does_not_undo_what_came_between(
    load: Days, mappings: Path, warehouse: Warehouse, tmp_path: Path
) -> None:
    (mappings / "lines.yml").write_text(LINES, encoding="utf-8")
    first, second, twice = (tmp_path / name for name in ("1.csv", "2.csv", "3.csv"))
    first.write_text("라인,이름\nL01,one\n", encoding="utf-8")
    second.write_text("라인,이름\nL01,two\n", encoding="utf-8")
    twice.write_text("라인,이름\nL01,three\nL01,four\n", encoding="utf-8")
    assert [load(path) for path in (first, second, first)] == [
        counts(landed=1),
        counts(corrected=1),
        counts(outdated=1),
    ]
    assert rows(warehouse, LINE_NAMES) == [("two",)]
    assert load(twice) == counts(corrected=2)
    assert load(twice) == counts(outdated=1, unchanged=1)
    assert rows(warehouse, LINE_NAMES) == [("four",)]


def test_a_sheet_is_known_again_by_its_name_and_its_workbook(load: Days, tmp_path: Path) -> None:
    book = Workbook()
    header = ["작업지시", "라인", "품목", "시작", "종료", "생산", "양품", "불량"]
    for sheet, total in (("one", 10), ("two", 20)):
        page = book.create_sheet(sheet)
        page.append(header)
        page.append(["W", "L01", "P001", "2026-03-09 08:00", "2026-03-09 16:00", total, total - 1, 1])
    del book["Sheet"]
    book.save(tmp_path / "book.xlsx")
    assert load(tmp_path / "book.xlsx") == counts(landed=1, corrected=1)
    assert load(tmp_path / "book.xlsx") == counts(unchanged=2)
    assert load.has("W", 20)


def test_standard_input_has_no_memory(load: Days, tmp_path: Path) -> None:
    text = write(tmp_path / "one.csv", line("W", 10)).read_bytes()
    assert ingest_files(load.ingest, ["-"], stdin=BytesIO(text)).outcomes == counts(landed=1)
    load(write(tmp_path / "two.csv", line("W", 20, 19)))
    assert ingest_files(load.ingest, ["-"], stdin=BytesIO(text)).outcomes == counts(corrected=1)


def test_the_command_says_that_a_file_was_read_before(takt: Takt, mappings: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "semi.csv", line("W"))
    said = "Read before on"
    assert said not in takt("ingest", path).stdout
    again = takt("ingest", path).stdout
    assert "1 rows: 1 unchanged." in again
    assert said in again
    assert "nothing of it counts as newer" in again
