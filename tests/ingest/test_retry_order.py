"""A retried row never undoes what has come since it was rejected."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from platform_core.ingest.rejects import Choice, retry_rejects
from platform_core.ingest.service import Ingest, ingest_files
from platform_core.settings import Settings
from platform_core.tenants.contracts import Tenant
from platform_core.warehouse.connection import Warehouse, transaction
from tests.ingest.landing_help import NOW, counts, current, project, rows
from tests.ingest.test_service import MAPPING, line, write

MENDED = MAPPING.replace("total_qty: 생산", "total_qty: {from: 생산, values: {열: 10, 스물: 20}}")


@pytest.fixture
def monday(warehouse: Warehouse, settings: Settings, tenant: Tenant) -> Ingest:
    folder = settings.home / "tenants" / tenant.slug / "mappings"
    folder.mkdir(parents=True)
    (folder / "plant.yml").write_text(MAPPING, encoding="utf-8")
    return Ingest(warehouse, settings, project(), tenant, NOW)


def days_later(ingest: Ingest, days: int) -> Ingest:
    return replace(ingest, now=ingest.now + timedelta(days=days))


def mend(ingest: Ingest) -> None:
    home = ingest.settings.home / "tenants" / ingest.tenant.slug
    (home / "mappings" / "plant.yml").write_text(MENDED, encoding="utf-8")


def statuses(ingest: Ingest) -> list[str]:
    return [one for (one,) in rows(ingest.warehouse, "select status from core.rejected_record order by created_at")]


def reopen(ingest: Ingest) -> None:
    """As if the newer row had not taken the reject off the list: a person may retry it by its id at the same moment."""
    with transaction(ingest.warehouse) as conn:
        conn.execute("update core.rejected_record set status = 'open', resolved_at = null, resolved_load_id = null")


@pytest.mark.parametrize("text", [None, line("W", total=10)])
def test_a_row_that_was_rejected_first_does_not_undo_the_good_row_that_came_after(
    monday: Ingest, tmp_path: Path, text: str | None
) -> None:
    ingest_files(monday, [write(tmp_path / "monday.csv", line("W", total="열"))])
    tuesday = days_later(monday, 1)
    ingest_files(tuesday, [write(tmp_path / "tuesday.csv", line("W", total=20, good=19))])
    reopen(monday)
    mend(monday)
    assert retry_rejects(days_later(monday, 2), Choice(), text=text).outcomes == counts(outdated=1)
    assert current(monday.warehouse) == {"W": ("2026-03-09", 20)}
    assert statuses(monday) == ["retried"]


def test_a_row_that_was_rejected_last_does_replace_the_good_row_that_came_before(
    monday: Ingest, tmp_path: Path
) -> None:
    ingest_files(monday, [write(tmp_path / "monday.csv", line("W"))])
    ingest_files(days_later(monday, 1), [write(tmp_path / "tuesday.csv", line("W", total="스물", good=19))])
    assert statuses(monday) == ["open"]
    mend(monday)
    assert retry_rejects(days_later(monday, 2), Choice()).outcomes == counts(corrected=1)
    assert current(monday.warehouse) == {"W": ("2026-03-09", 20)}


@pytest.mark.parametrize("first", ["monday", "tuesday"])
def test_rejects_of_several_loads_are_retried_in_the_order_in_which_they_came(
    monday: Ingest, tmp_path: Path, first: str
) -> None:
    tuesday = days_later(monday, 1)
    loads = {"monday": (monday, line("W", total="열")), "tuesday": (tuesday, line("W", total="스물", good=19))}
    ingest_files(loads[first][0], [write(tmp_path / f"{first}.csv", loads[first][1])])
    other = "tuesday" if first == "monday" else "monday"
    ingest_files(loads[other][0], [write(tmp_path / f"{other}.csv", loads[other][1])])
    mend(monday)
    report = retry_rejects(days_later(monday, 2), Choice())
    assert [Path(load.name).stem for load in report.loads] == ["monday", "tuesday"]
    assert report.outcomes == counts(landed=1, corrected=1)
    assert current(monday.warehouse) == {"W": ("2026-03-09", 20)}


@pytest.mark.parametrize(("bad_first", "total"), [(True, 20), (False, 10)])
def test_of_two_rows_of_one_file_the_later_one_counts(
    monday: Ingest, tmp_path: Path, bad_first: bool, total: int
) -> None:
    lines = [line("W", total="열"), line("W", total=20, good=19)]
    ingest_files(monday, [write(tmp_path / "one.csv", *(lines if bad_first else reversed(lines)))])
    reopen(monday)
    mend(monday)
    retry_rejects(days_later(monday, 1), Choice())
    assert current(monday.warehouse) == {"W": ("2026-03-09", total)}


def test_of_two_files_of_one_call_the_later_one_counts(monday: Ingest, tmp_path: Path) -> None:
    bad = write(tmp_path / "a.csv", line("W", total="열"))
    ingest_files(monday, [bad, write(tmp_path / "b.csv", line("W", total=20, good=19))])
    reopen(monday)
    mend(monday)
    assert retry_rejects(days_later(monday, 1), Choice()).outcomes == counts(outdated=1)
