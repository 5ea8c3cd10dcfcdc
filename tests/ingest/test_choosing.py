"""Which mapping a file gets by itself, and that no row, column or quantity is lost without a word."""

from pathlib import Path

import pytest

from platform_core.ingest.contracts import MappedRecord, SourceRow
from platform_core.ingest.mapping import compile_mapping, load_mapping, reader_options
from platform_core.ingest.mapping.catalogue import SHIPPED
from platform_core.ingest.readers import FileOptions, open_reader
from platform_core.ingest.service import Ingest, ingest_files
from platform_core.settings import Settings
from platform_core.tenants.contracts import Tenant
from platform_core.warehouse.connection import Warehouse
from tests.ingest.landing_help import NOW, counts, current, project

ORDERS = """\
작업번호;생산일자;라인;품번;근무조;생산수량;양품수량;불량수량;시작시간;종료시간
K1;2026-03-09;L1;P1;주간;100;99;1;08:00;12:00
K2;2026-03-09;L1;P1;주간;300;300;0;08:00;12:00
K3;2026-03-09;L1;P1;주간;500;500;0;12:00;16:00
"""


@pytest.fixture
def ingest(warehouse: Warehouse, settings: Settings, tenant: Tenant) -> Ingest:
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
