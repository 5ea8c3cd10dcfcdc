"""Mappings proposed from headers and values."""

from pathlib import Path
from typing import Any

import pytest

from platform_core.ingest.contracts import MappedRecord, SourceRow
from platform_core.ingest.guess import Guess, guess, guess_reader
from platform_core.ingest.mapping import compile_mapping, parse_mapping, reader_options
from platform_core.ingest.readers import FileOptions, open_reader
from platform_core.ingest.record_types import RECORD_TYPES
from platform_core.ingest.synonyms import vocabulary
from platform_core.ingest.validation import Validator

SAMPLES = Path(__file__).parent / "samples"


def use(found: Guess, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The records of the proposed mapping, which must be sound as it stands."""
    mapping = parse_mapping(found.yaml, name="proposed")
    map_row = compile_mapping(mapping, timezone="Asia/Seoul")
    records = [map_row(SourceRow(number, row, "x")) for number, row in enumerate(rows, 1)]
    assert all(isinstance(record, MappedRecord) for record in records), records
    return [record.payload for record in records if isinstance(record, MappedRecord)]


@pytest.mark.parametrize(
    ("name", "record_type"),
    [
        ("mes_work_order_csv_ko.csv", "work_order"),
        ("korean_daily_production.xlsx", "work_order"),
        ("takt_mes_work_order.jsonl", "work_order"),
        ("inventory_snapshot.csv", "inventory"),
        ("takt_inventory.csv", "inventory"),
        ("takt_order.csv", "order"),
        ("equipment_event.csv", "equipment_event"),
        ("takt_equipment_event.jsonl", "equipment_event"),
        ("takt_line.csv", "line"),
        ("takt_product.csv", "product"),
        ("takt_equipment.csv", "equipment"),
        ("takt_shift.csv", "shift"),
        ("takt_cycle_time.csv", "cycle_time"),
        ("takt_kpi.csv", "kpi"),
    ],
)
def test_a_sample_is_recognised_and_its_proposal_works_as_it_stands(name: str, record_type: str) -> None:
    [reader] = [r for r in open_reader(SAMPLES / name) if "표지" not in r.name]
    found = guess_reader(reader, name=name)
    assert found.record_type == record_type
    assert found.missing == ()
    assert found.confidence >= 0.7
    mapping = parse_mapping(found.yaml, name="proposed")
    options = reader_options(mapping)
    assert isinstance(options, FileOptions)
    [again] = open_reader(SAMPLES / name, options)
    map_row = compile_mapping(mapping, timezone="Asia/Seoul")
    first = next(iter(again.rows()))
    assert isinstance(first, SourceRow)
    record = map_row(first)
    assert isinstance(record, MappedRecord)
    Validator(mapping.kind).write(record.payload)


def test_a_report_nobody_described_becomes_a_mapping() -> None:
    head = ["날짜", "호기", "모델", "주/야", "목표", "생산량", "불량", "가동시간(h)", "비가동(분)"]
    head += ["불량유형 치수", "불량유형 외관", "메모"]
    cells: list[list[Any]] = [
        ["2025.03.05", "1호기", "AX-1", "주", "1,000", "980", "12", "7.5", "30", "8", "4", "x"],
        ["2025.03.05", "1호기", "AX-2", "야", "900", "900", "0", "8", "0", "", "", ""],
    ]
    rows: list[dict[str, Any]] = [dict(zip(head, row, strict=True)) for row in cells]
    found = guess(list(rows[0]), rows)
    assert found.record_type == "work_order"
    assert found.unused == ("메모",)
    first, second = use(found, rows)
    assert first == {
        "work_order_id": "2025-03-05-1호기-AX-1-day",
        "line_code": "1호기",
        "product_code": "AX-1",
        "shift": "day",
        "start_time": "2025-03-05T08:00:00+09:00",
        "end_time": "2025-03-05T16:00:00+09:00",
        "planned_qty": 1000,
        "total_qty": 980,
        "good_qty": 968,
        "defect_qty": 12,
        "runtime_minutes": 450,
        "downtime_minutes": 30,
        "defect_details": [{"type": "치수", "qty": 8}, {"type": "외관", "qty": 4}],
    }
    assert (second["shift"], second["runtime_minutes"]) == ("night", 480)
    for line in found.yaml.splitlines():
        if line.startswith("  "):
            assert "%: " in line


def test_times_of_day_are_joined_with_the_date() -> None:
    rows = [
        {
            "일자": "2025-03-05",
            "라인": "L1",
            "품번": "P1",
            "시작시각": "22:00",
            "종료시각": "06:00",
            "양품": 9,
            "불량": 1,
        }
    ]
    [record] = use(guess(list(rows[0]), rows), rows)
    assert record["start_time"] == "2025-03-05T22:00:00+09:00"
    assert record["end_time"] == "2025-03-06T06:00:00+09:00"
    assert record["total_qty"] == 10


def test_rows_of_totals_are_left_out() -> None:
    rows = [{"일자": day, "라인": "L1", "품번": "P1", "양품": 9, "불량": 1} for day in ("2025-03-05", "소계", "합 계")]
    found = guess(list(rows[0]), rows)
    assert "    - {field: 일자, values: [소계, 합 계]}" in found.yaml.splitlines()
    parse_mapping(found.yaml, name="proposed")


def test_values_decide_between_columns_of_like_names() -> None:
    rows = [{"생산": "정상", "생산수량": 5, "라인명": "x", "라인": "L1"}]
    by_field = {
        proposal.field: proposal.column for proposal in guess(list(rows[0]), rows, record_type="work_order").proposals
    }
    assert by_field["total_qty"] == "생산수량"
    assert by_field["line_code"] == "라인"


def test_what_is_not_found_is_left_for_a_person_and_rejects_until_then() -> None:
    found = guess(["라인", "품번"], [{"라인": "L1", "품번": "P1"}], record_type="work_order")
    assert "start_time" in found.missing
    assert 'start_time: {from: "?"}  # 0%' in found.yaml
    parse_mapping(found.yaml, name="proposed")


def test_odd_headers_never_break_the_yaml() -> None:
    headers = [
        "a: b",
        "# c",
        "{d}",
        "'e'",
        '"f"',
        "g\nh",
        "- i",
        "true",
        "1",
        "",
        "라인: 코드",
        "수량%",
        "*x",
        "&y",
        "!z",
    ]
    for record_type in RECORD_TYPES:
        found = guess(headers, [dict.fromkeys(headers, "1")], record_type=record_type)
        parse_mapping(found.yaml, name="proposed")


def test_the_vocabulary_speaks_of_fields_that_exist() -> None:
    for record_type, fields in vocabulary().synonyms.items():
        assert set(fields) <= set(RECORD_TYPES[record_type].fields)


def test_fields_that_no_column_has_are_told_with_what_was_assumed() -> None:
    rows = [{"일자": "2025-03-05", "라인": "L1", "품번": "P1", "양품": 9, "불량": 1, "가동시간": 60}]
    found = guess(list(rows[0]), rows)
    told = {one.field: one for one in found.derived}
    assert set(told) == {"work_order_id", "start_time", "end_time", "total_qty"}
    assert "08:00" in told["start_time"].column
    assert told["start_time"].confidence == 0.5
    assert "일자 at 08:00" in told["start_time"].why


def test_a_decimal_comma_is_recognised_and_qty_is_the_quantity_produced() -> None:
    head = ("Job No", "Line", "Item", "Start", "End", "Qty", "Good", "NG", "Runtime (h)")
    cells = ("1", "L1", "P1", "2025-03-05 08:00", "2025-03-05 16:00", "1.250,5", "1.200", "50,5", "7,5")
    rows: list[dict[str, Any]] = [dict(zip(head, cells, strict=True))]
    found = guess(list(rows[0]), rows)
    assert 'numbers: {decimal: ","}' in found.yaml
    [record] = use(found, rows)
    assert (record["total_qty"], record["good_qty"], record["defect_qty"]) == (1250.5, 1200, 50.5)
    assert record["runtime_minutes"] == 450


@pytest.mark.parametrize("value", ["1,000", "12.5", "1.000", "1,000.5", "2025.03.05"])
def test_what_a_point_may_be_stays_as_it_is(value: str) -> None:
    found = guess(["라인", "생산수량"], [{"라인": "L1", "생산수량": value}], record_type="work_order")
    assert "decimal" not in found.yaml


def test_reasons_in_the_headers_are_proposed_as_setup_and_breakdown() -> None:
    row = {"일자": "2025-03-05", "라인": "L1", "품번": "P1", "양품": 9, "불량": 1}
    row |= {"비가동사유 기종변경": 12, "비가동사유 설비고장(분)": 5, "비가동사유 청소": 3}
    found = guess(list(row), [row])
    assert 'values: {기종변경: setup, "설비고장(분)": breakdown}' in found.yaml
    [record] = use(found, [row])
    assert record["downtime_reasons"] == [
        {"reason": "setup", "minutes": 12},
        {"reason": "breakdown", "minutes": 5},
        {"reason": "청소", "minutes": 3},
    ]
