"""Which mapping a file gets by itself, and that no row, column or quantity is lost without a word."""

from pathlib import Path

import pytest
from openpyxl import Workbook
from openpyxl.worksheet.worksheet import Worksheet
from typer.testing import CliRunner

from platform_cli.main import app
from platform_core.ingest.contracts import MappedRecord, SourceRow
from platform_core.ingest.errors import NoMappingError
from platform_core.ingest.inbox import Inbox
from platform_core.ingest.mapping import MappingError, compile_mapping, load_mapping, reader_options
from platform_core.ingest.mapping.catalogue import SHIPPED, mapping_folder
from platform_core.ingest.readers import FileOptions, UnreadableFileError, open_reader
from platform_core.ingest.records import Batch
from platform_core.ingest.repeats import Repeats
from platform_core.ingest.service import Ingest, inbox_handler, ingest_file, ingest_files
from platform_core.settings import Settings
from platform_core.tenants.contracts import Tenant
from platform_core.warehouse.connection import Warehouse
from tests.ingest.landing_help import NOW, counts, current, load, project, rows, work_order

ORDERS = """\
작업번호;생산일자;라인;품번;근무조;생산수량;양품수량;불량수량;시작시간;종료시간
K1;2026-03-09;L1;P1;주간;100;99;1;08:00;12:00
K2;2026-03-09;L1;P1;주간;300;300;0;08:00;12:00
K3;2026-03-09;L1;P1;주간;500;500;0;12:00;16:00
"""


@pytest.fixture
def ingest(warehouse: Warehouse, settings: Settings, tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> Ingest:
    monkeypatch.setenv("TAKT_HOME", str(settings.home))
    monkeypatch.setenv("TAKT_DATABASE_URL", str(settings.database_url))
    monkeypatch.setenv("TAKT_API_DATABASE_URL", str(settings.api_database_url))
    return Ingest(warehouse, settings, project(), tenant, NOW)


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="cp949")
    return path


@pytest.mark.parametrize("mapping", [None, "mes_work_order_csv_ko"])
def test_orders_of_one_shift_that_have_numbers_all_arrive(ingest: Ingest, tmp_path: Path, mapping: str | None) -> None:
    report = ingest_files(ingest, [write(tmp_path / "orders.csv", ORDERS)], mapping=mapping)
    assert report.failed == ()
    assert report.outcomes == counts(landed=3)
    assert sum(total for _, total in current(ingest.warehouse).values()) == 900


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("08:00", "12:00", ("2026-03-09T08:00:00+09:00", "2026-03-09T12:00:00+09:00")),
        ("22:00", "06:00", ("2026-03-09T22:00:00+09:00", "2026-03-10T06:00:00+09:00")),
        ("20:00", "20:00", ("2026-03-09T20:00:00+09:00", "2026-03-10T20:00:00+09:00")),
        ("2026-03-10 01:00", "2026.03.10 01:00", ("2026-03-10T01:00:00+09:00", "2026-03-10T01:00:00+09:00")),
    ],
)
def test_an_mes_export_joins_times_of_day_with_the_production_date(
    tmp_path: Path, start: str, end: str, expected: tuple[str, str]
) -> None:
    mapping = load_mapping(SHIPPED / "mes_work_order_csv_ko.yml")
    options = reader_options(mapping)
    assert isinstance(options, FileOptions)
    text = f"{ORDERS.splitlines()[0]}\nK1;2026-03-09;L1;P1;야간;5;5;0;{start};{end}\n"
    [reader] = open_reader(write(tmp_path / "one.csv", text), options)
    [row] = reader.rows()
    assert isinstance(row, SourceRow)
    record = compile_mapping(mapping, timezone="Asia/Seoul")(row)
    assert isinstance(record, MappedRecord)
    assert (record.payload["start_time"], record.payload["end_time"]) == expected
    assert str(record.business_date) == "2026-03-09"


REPORT = "생산일자,라인,품번,근무조,생산수량,양품수량,불량수량\n"


def test_rows_that_replace_one_another_are_counted_shown_and_kept_with_the_load(ingest: Ingest, tmp_path: Path) -> None:
    lines = [f"2026-03-09,L1,P1,주간,{total},{total},0\n" for total in (100, 300, 300)]
    path = write(tmp_path / "report.csv", REPORT + "".join(lines))
    (landed,) = ingest_files(ingest, [path]).loads
    (warning,) = [one for one in landed.result.warnings if "the key of another row" in one]
    assert warning.startswith("1 row has the key of another row of this load and other content; the last one counts.")
    assert "DR-2026-03-09-L1-P1-day" in warning
    told = CliRunner().invoke(app, ["ingest", str(path), "--tenant", ingest.tenant.slug])
    assert warning in told.stdout
    stored = rows(ingest.warehouse, "select warnings from core.load where source_name = %(name)s", name=str(path))
    assert [warning in one for (one,) in stored] == [True, True]


def test_the_same_row_again_and_versions_of_a_record_are_no_loss(
    warehouse: Warehouse, settings: Settings, tenant: Tenant
) -> None:
    same = load(warehouse, settings, tenant, [work_order(number=n) for n in (1, 2)])
    newer = [work_order("WO-2", number=n, version=n, total_qty=1390 + n, defect_qty=n) for n in (1, 2)]
    assert not any("another row" in one for one in (*same.warnings, *load(warehouse, settings, tenant, newer).warnings))


def test_rows_of_one_key_are_found_far_apart_in_a_file() -> None:
    repeats = Repeats()
    for texts in (["a", "b"], ["c"], ["a", "b", "b"]):
        batch = Batch()
        for place, key in enumerate(texts):
            if batch.places.setdefault(key, place) != place:
                batch.repeated.setdefault(key, [batch.places[key]]).append(place)
            batch.versions.append(None)
            batch.hashes.append(b"same" if key == "b" else f"{key}{len(texts)}".encode())
        repeats.look(batch)
    assert repeats.count == 1
    assert "Such a key: a." in repeats.warnings()[0]


SHEET = ["작업일", "설비라인", "제품 코드", "제품명", "근무", "생산량(EA)", "불량 수", "작업시간(h)"]


def workbook(path: Path, *, master: bool = False) -> Path:
    book = Workbook()
    sheet = book.active
    assert isinstance(sheet, Worksheet)
    sheet.title = "실적"
    sheet.append(SHEET)
    sheet.append(["2026-03-09", "L1", "P1", "볼트", "주간", 100, 1, 7.5])
    sheet.append(["2026-03-09", "L2", "P1", "볼트", "야간", 300, 0, 8])
    if master:
        codes = book.create_sheet("품목", 0)
        codes.append(["품목코드", "품명", "규격", "단위"])
        codes.append(["P1", "볼트", "M8", "EA"])
    book.save(path)
    return path


def test_production_is_never_read_as_a_list_of_products(ingest: Ingest, tmp_path: Path) -> None:
    (failed,) = ingest_files(ingest, [workbook(tmp_path / "march.xlsx")]).failed
    assert failed.code == "ERR_INGEST_NO_MAPPING"
    assert "closest is product_list_ko, which would ignore 생산량(EA), 불량 수, 작업시간(h)." in failed.message
    assert "--guess` proposes one" in str(failed.hint)
    named = ingest_files(ingest, [tmp_path / "march.xlsx"], mapping="product_list_ko")
    assert named.failed == ()


def test_a_guess_at_a_production_sheet_is_production_and_lands_by_itself(ingest: Ingest, tmp_path: Path) -> None:
    path = workbook(tmp_path / "march.xlsx", master=True)
    told = CliRunner().invoke(app, ["ingest", str(path), "--guess", "--tenant", ingest.tenant.slug])
    assert "march.xlsx looks like work_order" in told.stdout, told.output
    assert f"{path} [품목]  (looks like product" in told.stdout
    report = ingest_files(ingest, [path])
    assert [(one.mapping, one.result.outcomes.landed) for one in report.loads] == [("product_list_ko", 1), ("march", 2)]
    assert sum(total for _, total in current(ingest.warehouse).values()) == 400


def test_what_a_chosen_mapping_does_not_read_is_told(ingest: Ingest, tmp_path: Path) -> None:
    path = workbook(tmp_path / "march.xlsx", master=True)
    (load,) = ingest_files(ingest, [path]).loads
    assert load.notes == (
        f"{path} [실적] is not read: closest is product_list_ko, which would ignore 생산량(EA), 불량수, 작업시간(h).",
    )
    lines = write(tmp_path / "products.csv", "품목코드,품명,보관 온도\nP1,볼트,5\n")
    told = CliRunner().invoke(app, ["ingest", str(lines), "--tenant", ingest.tenant.slug])
    assert "Not read by product_list_ko: 보관 온도." in told.stdout


def test_a_mapping_that_says_what_it_ignores_is_taken_by_itself(ingest: Ingest, tmp_path: Path) -> None:
    path = write(tmp_path / "items.csv", "품목코드,품명,현재고\nP1,볼트,5\n")
    assert [one.code for one in ingest_files(ingest, [path]).failed] == ["ERR_INGEST_NO_MAPPING"]
    own = (SHIPPED / "product_list_ko.yml").read_text("utf-8").replace("fields:", "ignored: 현재고\nfields:")
    folder = mapping_folder(ingest.settings, ingest.tenant.slug)
    folder.mkdir(parents=True)
    (folder / "product_list_ko.yml").write_text(own, encoding="utf-8")
    (load,) = ingest_files(ingest, [path]).loads
    assert (load.mapping, load.notes) == ("product_list_ko", ())


def test_a_broken_mapping_is_named_and_stops_only_who_asks_for_it(ingest: Ingest, tmp_path: Path) -> None:
    folder = mapping_folder(ingest.settings, ingest.tenant.slug)
    folder.mkdir(parents=True)
    (folder / "report.yml").write_text("record_type: work_order\nfeilds: {}\n", encoding="utf-8")
    path = write(tmp_path / "orders.csv", ORDERS)
    report = ingest_files(ingest, [path])
    assert (report.outcomes, report.failed) == (counts(landed=3), ())
    (skipped,) = report.skipped
    assert skipped.name == str(folder / "report.yml")
    assert "line 2" in skipped.reason
    told = CliRunner().invoke(app, ["ingest", str(path), "--tenant", ingest.tenant.slug])
    assert told.exit_code == 0
    assert "report.yml: skipped. Warning: this mapping is broken" in told.stdout
    with pytest.raises(MappingError, match=r"report\.yml"):
        ingest_files(ingest, [path], mapping="report")
    odd = write(tmp_path / "odd.csv", "what,ever\n1,2\n")
    with pytest.raises(NoMappingError, match=r"being broken: report\.yml"):
        ingest_file(ingest, odd)


def test_an_inbox_takes_files_past_a_broken_mapping(ingest: Ingest, tmp_path: Path) -> None:
    folder = mapping_folder(ingest.settings, ingest.tenant.slug)
    folder.mkdir(parents=True)
    (folder / "report.yml").write_text("nothing", encoding="utf-8")
    for place in (tmp_path / "in", tmp_path / "in" / "report"):
        place.mkdir()
        write(place / "orders.csv", ORDERS)
    with Inbox(tmp_path / "in", settle_seconds=0) as inbox:
        ended = {one.original.parent.name: one for one in inbox.run_once(inbox_handler(ingest, clock=lambda: NOW))}
    assert ended["in"].succeeded
    assert "report.yml" in ended["in"].report["skipped"][0]["name"]
    assert ended["report"].report["error"] == "ERR_INGEST_MAPPING"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.csv", b"", "is empty"),
        ("blank.csv", b"\xef\xbb\xbf \r\n\r\n", "is empty"),
        ("empty.xlsx", b"", "is empty"),
        ("report.xlsx", b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", "is a PDF, not an Excel file"),
        ("report.csv", b"\x89PNG\r\n\x1a\n\0\0", r"is a picture \(PNG\), not a table"),
    ],
)
def test_a_file_without_a_table_is_told_as_what_it_is(
    ingest: Ingest, tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises((UnreadableFileError, NoMappingError), match=said):
        ingest_file(ingest, path)
    told = CliRunner().invoke(app, ["ingest", str(path), "--guess", "--tenant", ingest.tenant.slug])
    assert told.exit_code == 1
