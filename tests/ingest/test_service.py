"""Files, folders, standard input and configured sources come in through mappings, and rejected rows are mended."""

import io
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from platform_core.clock import utc_now
from platform_core.ingest.errors import NoInputError, UnknownRejectError
from platform_core.ingest.inbox import Inbox
from platform_core.ingest.rejects import Choice, advice, dismiss_rejects, list_rejects, retry_rejects, show_reject
from platform_core.ingest.service import Ingest, inbox_handler, ingest_files, ingest_source
from platform_core.settings import Settings
from platform_core.tenants.contracts import Tenant
from platform_core.warehouse.connection import Warehouse, transaction
from tests.ingest.landing_help import NOW, counts, current, project, rows, work_order

HEADER = "작업지시;라인;품목;시작;종료;생산;양품;불량"
MAPPING = """
source_system: plant
record_type: work_order
fields:
  work_order_id: 작업지시
  line_code: 라인
  product_code: 품목
  start_time: 시작
  end_time: 종료
  total_qty: 생산
  good_qty: 양품
  defect_qty: 불량
"""


@pytest.fixture
def ingest(warehouse: Warehouse, settings: Settings, tenant: Tenant) -> Ingest:
    folder = settings.home / "tenants" / tenant.slug / "mappings"
    folder.mkdir(parents=True)
    (folder / "plant.yml").write_text(MAPPING, encoding="utf-8")
    return Ingest(warehouse, settings, project(), tenant, NOW)


def line(key: str, total: object = 10, good: object = 9, bad: object = 1) -> str:
    return f"{key};L01;P001;2026-03-09 08:00;2026-03-09 16:00;{total};{good};{bad}"


def write(path: Path, *lines: str, encoding: str = "cp949") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([HEADER, *lines]) + "\n", encoding=encoding)
    return path


def test_a_file_finds_its_mapping_by_its_headers(ingest: Ingest, tmp_path: Path) -> None:
    report = ingest_files(ingest, [write(tmp_path / "orders.csv", line("가-1"), line("가-2", good="많음"))])
    (load,) = report.loads
    assert load.mapping == "plant"
    assert report.outcomes == counts(landed=1, rejected=1)
    assert current(ingest.warehouse) == {"가-1": ("2026-03-09", 10)}
    assert rows(ingest.warehouse, "select source_name, source_system from core.load") == [
        (str(tmp_path / "orders.csv"), "plant")
    ]


def test_a_folder_lands_master_data_first_and_skips_what_no_mapping_fits(ingest: Ingest, tmp_path: Path) -> None:
    write(tmp_path / "in" / "a_orders.csv", line("1"))
    (tmp_path / "in" / "z_lines.csv").write_text("line_code,name\nL01,One\n")
    (tmp_path / "in" / "notes.csv").write_text("what,ever\n1,2\n")
    (tmp_path / "in" / ".hidden.csv").write_text("line_code,name\nL02,Two\n")
    report = ingest_files(ingest, [tmp_path / "in", tmp_path / "in" / "a_orders.csv"])
    assert [load.result.request.record_type for load in report.loads] == ["line", "work_order"]
    assert [Path(one.name).name for one in report.skipped] == ["notes.csv"]
    assert report.failed == ()


def test_a_bad_file_does_not_stop_the_others(ingest: Ingest, tmp_path: Path) -> None:
    good, odd = write(tmp_path / "good.csv", line("1")), tmp_path / "odd.csv"
    odd.write_text("what,ever\n1,2\n")
    empty = tmp_path / "empty.csv"
    empty.write_bytes(b"")
    report = ingest_files(ingest, [odd, empty, str(tmp_path / "g*.csv")])
    assert [Path(one.name).name for one in report.failed] == ["odd.csv", "empty.csv"]
    assert "what, ever" in report.failed[0].message
    assert [load.name for load in report.loads] == [str(good)]
    with pytest.raises(NoInputError, match="nothing to read"):
        ingest_files(ingest, [tmp_path / "missing.csv"])


def test_standard_input_is_read_like_a_file(ingest: Ingest) -> None:
    stream = io.BytesIO(json.dumps(work_order("S-1").payload).encode())
    report = ingest_files(ingest, ["-"], stdin=stream)
    assert report.outcomes == counts(landed=1)
    assert report.loads[0].name == "standard input"


def test_a_strict_file_fails_alone(ingest: Ingest, tmp_path: Path) -> None:
    strict = Ingest(ingest.warehouse, ingest.settings, ingest.project, ingest.tenant, NOW, strict=True)
    paths = [write(tmp_path / "bad.csv", line("1"), line("2", bad=7)), write(tmp_path / "good.csv", line("3"))]
    report = ingest_files(strict, paths)
    assert [one.code for one in report.failed] == ["ERR_INGEST_STRICT"]
    assert current(ingest.warehouse) == {"3": ("2026-03-09", 10)}


def test_an_inbox_moves_files_with_their_reports(ingest: Ingest, tmp_path: Path) -> None:
    write(tmp_path / "inbox" / "one.csv", line("1"), line("2", bad=7))
    (tmp_path / "inbox" / "odd.csv").write_text("what,ever\n1,2\n")
    with Inbox(tmp_path / "inbox", settle_seconds=0) as inbox:
        results = inbox.run_once(inbox_handler(ingest, clock=utc_now))
    assert sorted((one.original.name, one.succeeded) for one in results) == [("odd.csv", False), ("one.csv", True)]
    done = next(one for one in results if one.succeeded)
    assert done.report["total"]["landed"] == 1
    assert rows(ingest.warehouse, "select source_name from core.load") == [(str(tmp_path / "inbox" / "one.csv"),)]


def test_a_configured_source_of_files_is_pulled_by_name(ingest: Ingest, tmp_path: Path) -> None:
    write(tmp_path / "drop" / "one.csv", line("1"))
    folder = ingest.settings.home / "tenants" / ingest.tenant.slug / "sources"
    folder.mkdir()
    (folder / "mes.yml").write_text(f"mapping: plant\npath: {tmp_path / 'drop'}\n")
    assert ingest_source(ingest, "mes").outcomes == counts(landed=1)
    assert ingest_source(ingest, "mes").outcomes == counts(unchanged=1)


def test_an_incremental_source_goes_on_where_it_ended(ingest: Ingest, tmp_path: Path) -> None:
    with transaction(ingest.warehouse) as conn:
        conn.execute("create table public.orders (id text, total int, changed timestamptz)")
        conn.execute("insert into public.orders values ('A', 10, '2026-03-09'), ('B', 20, '2026-03-10')")
    home = ingest.settings.home / "tenants" / ingest.tenant.slug
    (home / "sources").mkdir()
    (home / "mappings" / "db.yml").write_text(
        """
source_system: erp
record_type: order
version: changed
fields: {order_id: id, customer_code: {constant: C}, product_code: {constant: P}, order_qty: total,
  delivery_date: {constant: '2026-03-20'}}
"""
    )
    url = ingest.warehouse.owner_url.replace("postgresql://", "postgresql+psycopg://")
    (home / "sources" / "erp.yml").write_text(
        f"mapping: db\nreader: {{type: sql, url: '{url}', table: public.orders, incremental: {{column: changed}}}}\n"
    )
    assert ingest_source(ingest, "erp").outcomes == counts(landed=2)
    with transaction(ingest.warehouse) as conn:
        conn.execute("insert into public.orders values ('A', 11, '2026-03-11')")
    assert ingest_source(ingest, "erp").outcomes == counts(corrected=1, unchanged=1)
    assert len(rows(ingest.warehouse, "select 1 from core.source_watermark where source_name = 'erp'")) == 1


def test_dates_are_pulled_from_a_source_and_its_watermark_stays(ingest: Ingest) -> None:
    with transaction(ingest.warehouse) as conn:
        conn.execute("create table public.orders (id text, total int, due date, changed timestamptz)")
        conn.execute("insert into public.orders values ('A', 1, '2026-03-20', '2026-03-09')")
        conn.execute("insert into public.orders values ('B', 2, '2026-03-21', '2026-03-10')")
    home = ingest.settings.home / "tenants" / ingest.tenant.slug
    (home / "sources").mkdir()
    (home / "mappings" / "db.yml").write_text(
        """
source_system: erp
record_type: order
fields: {order_id: id, customer_code: {constant: C}, product_code: {constant: P}, order_qty: total, delivery_date: due}
"""
    )
    url = ingest.warehouse.owner_url.replace("postgresql://", "postgresql+psycopg://")
    (home / "sources" / "erp.yml").write_text(
        f"mapping: db\nreader: {{type: sql, url: '{url}', table: public.orders, incremental: {{column: changed}}, "
        "dates: {column: due, type: date}}\n"
    )
    assert ingest_source(ingest, "erp").outcomes == counts(landed=2)
    mark = rows(ingest.warehouse, "select watermark from core.source_watermark")
    with transaction(ingest.warehouse) as conn:
        # Changed without a new change time: no pull that goes on from the watermark sees it.
        conn.execute("update public.orders set total = 5, changed = '2020-01-01'")
    assert ingest_source(ingest, "erp").outcomes == counts()
    day = date(2026, 3, 20)
    assert ingest_source(ingest, "erp", dates=(day, day)).outcomes == counts(corrected=1)
    assert rows(ingest.warehouse, "select watermark from core.source_watermark") == mark


def open_rejects(ingest: Ingest, **choice: object) -> list[tuple[int, str, str]]:
    with transaction(ingest.warehouse, read_only=True) as conn:
        found = list_rejects(conn, ingest.tenant.id, Choice(**choice))  # type: ignore[arg-type]
    return sorted((one.source_row, one.reason_code, one.original.strip()) for one in found.rejects)


def test_a_rejected_line_is_read_again_once_the_mapping_is_mended(ingest: Ingest, tmp_path: Path) -> None:
    path = write(tmp_path / "orders.csv", line("1"), line("2", good="아홉"), line("3", bad="열"))
    ingest_files(ingest, [path])
    assert open_rejects(ingest) == [(3, "WRONG_TYPE", line("2", good="아홉")), (4, "WRONG_TYPE", line("3", bad="열"))]
    mended = MAPPING.replace("good_qty: 양품", "good_qty: {from: 양품, values: {아홉: 9}}")
    home = ingest.settings.home / "tenants" / ingest.tenant.slug
    (home / "mappings" / "plant.yml").write_text(mended, encoding="utf-8")
    report = retry_rejects(ingest, Choice())
    assert report.outcomes == counts(landed=1, rejected=1)
    assert open_rejects(ingest) == [(4, "WRONG_TYPE", line("3", bad="열"))]
    stored = "select status, resolved_load_id = %(load)s from core.rejected_record order by source_row"
    assert rows(ingest.warehouse, stored, load=report.loads[0].result.load_id) == [("retried", True), ("open", None)]
    found = "select source_row, load_id = %(load)s from core.erp_mes_data where source_pk = '2'"
    assert rows(ingest.warehouse, found, load=report.loads[0].result.load_id) == [(3, True)]
    retried = "select source_name, retry_of is not null, rows_read from core.load order by started_at desc limit 1"
    assert rows(ingest.warehouse, retried) == [(str(path), True, 2)]


def test_a_rejected_line_is_mended_by_hand(ingest: Ingest, tmp_path: Path) -> None:
    ingest_files(ingest, [write(tmp_path / "orders.csv", line("1", bad=7), line("2;x"))])
    assert [code for _, code, _ in open_rejects(ingest)] == ["TOTAL_MISMATCH", "UNREADABLE"]
    with transaction(ingest.warehouse, read_only=True) as conn:
        found = list_rejects(conn, ingest.tenant.id, Choice(code="UNREADABLE"))
        (wide,) = found.rejects
        assert show_reject(conn, ingest.tenant.id, str(wide.id)[:8]) == wide
    assert found.by_code == {"UNREADABLE": 1}
    assert "Mend" in advice(wide.reason_code)
    with pytest.raises(UnknownRejectError, match="2 are chosen"):
        retry_rejects(ingest, Choice(), text=line("2"))
    still = retry_rejects(ingest, Choice(ids=(str(wide.id),)), text=line("2", bad=5))
    assert still.outcomes == counts(rejected=1)
    assert (3, "TOTAL_MISMATCH", line("2", bad=5)) in open_rejects(ingest)
    assert retry_rejects(ingest, Choice(ids=(str(wide.id)[:8],)), text=line("2")).outcomes == counts(landed=1)
    assert len(open_rejects(ingest)) == 1
    with pytest.raises(UnknownRejectError, match="No open reject"):
        retry_rejects(ingest, Choice(ids=(str(wide.id),)))


def test_a_dismissed_reject_leaves_the_list_and_stays_stored(ingest: Ingest, tmp_path: Path) -> None:
    ingest_files(ingest, [write(tmp_path / "orders.csv", line("1", bad=7), line("2", bad=-1))])
    with transaction(ingest.warehouse) as conn:
        assert dismiss_rejects(conn, ingest.tenant.id, Choice(code="NEGATIVE")) == 1
    assert [code for _, code, _ in open_rejects(ingest)] == ["TOTAL_MISMATCH"]
    assert [code for _, code, _ in open_rejects(ingest, status="dismissed")] == ["NEGATIVE"]


@pytest.mark.parametrize("slip", ["", " ", "%", "_", "zzzz", "\\"])
def test_a_slip_in_an_id_never_chooses_every_reject(ingest: Ingest, tmp_path: Path, slip: str) -> None:
    ingest_files(ingest, [write(tmp_path / "orders.csv", line("1", bad=7), line("2", bad=-1))])
    with transaction(ingest.warehouse) as conn:
        assert dismiss_rejects(conn, ingest.tenant.id, Choice(ids=(slip,))) == 0
        with pytest.raises(UnknownRejectError, match="There is no reject"):
            show_reject(conn, ingest.tenant.id, slip)


@pytest.mark.parametrize(
    "garbage", [lambda text: text[: len(text) // 2], lambda text: text.replace(b";", b"\x00"), lambda text: text[::-1]]
)
def test_whatever_a_file_holds_every_row_has_one_outcome(
    ingest: Ingest, tmp_path: Path, garbage: Callable[[bytes], bytes]
) -> None:
    path = write(tmp_path / "orders.csv", *(line(str(n)) for n in range(50)))
    head, body = path.read_bytes().split(b"\n", 1)
    path.write_bytes(head + b"\n" + garbage(body))
    (load,) = ingest_files(ingest, [path], mapping="plant").loads
    outcomes = load.result.outcomes
    kept = rows(ingest.warehouse, "select count(*)::int from core.rejected_record")
    assert kept == [(outcomes.rejected,)]
    assert outcomes.rows_read > 0
