"""A sound row that lands later takes the rejected row of the same record off the list."""

from pathlib import Path

from platform_core.ingest.rejects import Choice, list_rejects
from platform_core.ingest.service import Ingest, ingest_files
from platform_core.warehouse.connection import transaction
from tests.ingest.landing_help import rows
from tests.ingest.test_retry_order import days_later, monday, statuses
from tests.ingest.test_service import MAPPING, line, write

__all__ = ["monday"]


def open_keys(ingest: Ingest) -> list[str]:
    with transaction(ingest.warehouse, read_only=True) as conn:
        return [one.original.split(";")[0] for one in list_rejects(conn, ingest.tenant.id, Choice()).rejects]


def test_a_sound_row_that_comes_later_takes_the_rejected_one_off_the_list(monday: Ingest, tmp_path: Path) -> None:
    ingest_files(monday, [write(tmp_path / "monday.csv", line("A", bad=7), line("B", total="열"), line("C", bad=7))])
    assert sorted(open_keys(monday)) == ["A", "B", "C"]
    report = ingest_files(days_later(monday, 1), [write(tmp_path / "tuesday.csv", line("A"), line("B"))])
    assert open_keys(monday) == ["C"]
    found = "select status, resolved_load_id = %(load)s from core.rejected_record order by source_row"
    (load,) = report.loads
    done = ("superseded", True)
    assert rows(monday.warehouse, found, load=load.result.load_id) == [done, done, ("open", None)]


def test_a_sound_row_of_the_same_file_takes_only_rows_above_it_off_the_list(monday: Ingest, tmp_path: Path) -> None:
    bad_then_good = [line("A", bad=7), line("A")]
    good_then_bad = [line("B"), line("B", bad=7)]
    ingest_files(monday, [write(tmp_path / "one.csv", *bad_then_good, *good_then_bad)])
    assert open_keys(monday) == ["B"]


def test_a_sound_row_of_an_older_version_leaves_the_rejected_correction_on_the_list(
    monday: Ingest, tmp_path: Path
) -> None:
    home = monday.settings.home / "tenants" / monday.tenant.slug
    versioned = MAPPING.replace("record_type: work_order\n", "record_type: work_order\nversion: 시작\nkey: 작업지시\n")
    (home / "mappings" / "plant.yml").write_text(versioned, encoding="utf-8")
    newer = line("A", bad=7).replace("08:00", "09:00")
    ingest_files(monday, [write(tmp_path / "monday.csv", newer)])
    ingest_files(days_later(monday, 1), [write(tmp_path / "tuesday.csv", line("A"))])
    assert open_keys(monday) == ["A"]
    ingest_files(days_later(monday, 2), [write(tmp_path / "wednesday.csv", line("A").replace("08:00", "09:00"))])
    assert open_keys(monday) == []


def test_master_data_that_comes_later_takes_the_rejected_row_off_the_list(monday: Ingest, tmp_path: Path) -> None:
    path = tmp_path / "lines.csv"
    path.write_text("line_code,name,capacity_per_hour\nL01,One,-5\n")
    ingest_files(monday, [path])
    assert statuses(monday) == ["open"]
    path.write_text("line_code,name,capacity_per_hour\nL01,One,5\n")
    ingest_files(days_later(monday, 1), [path])
    assert statuses(monday) == ["superseded"]


def test_a_rejected_row_whose_key_cannot_be_told_stays_on_the_list(monday: Ingest, tmp_path: Path) -> None:
    home = monday.settings.home / "tenants" / monday.tenant.slug
    made = MAPPING.replace(
        "work_order_id: 작업지시", "work_order_id: {expression: \"concat(작업지시, '-', total_qty)\"}"
    )
    (home / "mappings" / "plant.yml").write_text(made, encoding="utf-8")
    ingest_files(monday, [write(tmp_path / "monday.csv", line("A", total="열"))])
    assert rows(monday.warehouse, "select source_pk from core.rejected_record") == [(None,)]
    ingest_files(days_later(monday, 1), [write(tmp_path / "tuesday.csv", line("A"))])
    assert open_keys(monday) == ["A"]
