"""What a mapping's YAML may say, and how it is told when it is wrong."""

from pathlib import Path
from typing import Any

import pytest

from platform_core.ingest.contracts import MappedRecord, Rejection, SourceRow
from platform_core.ingest.mapping import (
    MappingError,
    UnknownMappingError,
    compile_mapping,
    find_mapping,
    list_mappings,
    parse_mapping,
)
from platform_core.settings import Settings

WORK_ORDER = """\
source_system: x
record_type: work_order
fields:
  work_order_id: id
  line_code: line
  product_code: product
  start_time: start
  end_time: end
  total_qty: total
  defect_qty: bad
  good_qty: {expression: total_qty - defect_qty}
"""
ROW = {
    "id": "W1", "line": "L1", "product": "P1", "start": "2025-03-05 08:00", "end": "2025-03-05 16:00",
    "total": "100", "bad": "4",
}  # fmt: skip


def run(extra: str = "", text: str = WORK_ORDER, **values: Any) -> MappedRecord | Rejection:
    mapping = parse_mapping(text + extra, name="m")
    return compile_mapping(mapping, timezone="Asia/Seoul")(SourceRow(7, {**ROW, **values}, "the text"))


def payload(extra: str = "", **values: Any) -> dict[str, Any]:
    record = run(extra, **values)
    assert isinstance(record, MappedRecord), record
    return record.payload


def rejection(extra: str = "", **values: Any) -> Rejection:
    result = run(extra, **values)
    assert isinstance(result, Rejection)
    return result


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("  line_code: line\n", "  line_code: {from: line, typ: text}\n"), "line 5: unknown key `typ`"),
        (("  line_code: line\n", "  line_code: line\n  line_code: other\n"), "line 6: `line_code` comes twice"),
        (("  line_code: line\n", ""), "work_order needs line_code"),
        (("  line_code: line\n", "  line_code: line\n  colour: c\n"), "work_order has no field colour"),
        (("total_qty - defect_qty", "total_qty -"), "line 11: the expression of good_qty cannot be read"),
        (("total_qty - defect_qty", "eval(total_qty)"), "knows no function eval"),
        (("record_type: work_order", "record_type: works"), "no record type `works`"),
        (("  total_qty: total\n", "  total_qty: {expression: good_qty + defect_qty}\n"), "need one another"),
        (("  line_code: line\n", "  line_code: {from: line, timezone: Mars/Base}\n"), "line 5.*no such time zone"),
        (("  line_code: line\n", "  line_code: {from: line, constant: L1}\n"), "line 5.*only one may be"),
        (("  line_code: line\n", "  line_code: {}\n"), "needs one of from, join"),
        (("  defect_qty: bad\n", "  defect_qty: {from: bad, default: many}\n"), "default or value is not a number"),
        (("fields:", "fields: ["), "line"),
        (("source_system: x", "source_system: x\nreader: {delimiter: ';;'}"), "line 2"),
    ],
)
def test_a_fault_is_told_with_its_line(change: tuple[str, str], message: str) -> None:
    with pytest.raises(MappingError, match=message):
        parse_mapping(WORK_ORDER.replace(*change), name="m")


def test_words_like_no_and_on_stay_text_and_dates_too() -> None:
    text = WORK_ORDER.replace(
        "  line_code: line\n", "  line_code: {from: line, values: {no: N1, on: O1, 2024-01-05: D, 1: I}}\n"
    )
    for given, wanted in (("no", "N1"), ("on", "O1"), ("2024-01-05", "D"), (1.0, "I"), ("L9", "L9")):
        record = run("", text, line=given)
        assert isinstance(record, MappedRecord)
        assert record.payload["line_code"] == wanted


def test_the_result_holds_what_the_source_holds() -> None:
    record = run()
    assert isinstance(record, MappedRecord)
    assert (record.number, record.source_pk, record.source_version, record.text) == (7, "W1", None, "the text")
    assert record.payload["good_qty"] == 96


def test_a_missing_value_is_absent_and_a_default_fills_it() -> None:
    assert "shift" not in payload("  shift: shift\n")
    assert payload("  shift: {from: shift, default: day}\n", shift=" - ")["shift"] == "day"
    assert payload("  shift: {constant: night}\n")["shift"] == "night"
    assert "shift" not in payload("  shift: {from: shift, empty: [none]}\n", shift="none")


def test_the_first_alternative_with_a_value_counts() -> None:
    assert payload("  shift: [s1, s2]\n", s1="", s2="day")["shift"] == "day"


def test_values_outside_a_map_are_kept_emptied_or_rejected() -> None:
    kept = "  shift: {from: s, values: {주간: day}, otherwise: %s}\n"
    assert payload(kept % "keep", s="x")["shift"] == "x"
    assert "shift" not in payload(kept % "empty", s="x")
    assert rejection(kept % "reject", s="x").code == "NOT_ALLOWED"


def test_what_cannot_be_read_is_rejected_with_field_value_and_text() -> None:
    found = rejection(total="twelve")
    assert (found.number, found.code, found.field, found.value, found.text) == (
        7, "WRONG_TYPE", "total_qty", "twelve", "the text",
    )  # fmt: skip
    assert found.message == "total_qty (from total): 'twelve' is not a number."
    assert rejection(id=" ").code == "NO_KEY"
    assert rejection("  rework_qty: {expression: total_qty / 0}\n").code == "EXPRESSION_FAILED"


def test_versions_are_microseconds_or_sequence_numbers() -> None:
    def version(spec: str, value: Any) -> Any:
        result = run("", WORK_ORDER.replace("fields:", f"version: {spec}\nfields:"), v=value)
        return result.source_version if isinstance(result, MappedRecord) else result.code

    assert version("{from: v}", "2025-03-05T08:00:00+09:00") == 1741129200000000
    assert version("{from: v}", "2025-03-05 08:00:00.000001") == 1741129200000001
    assert version("{from: v, type: integer}", "42") == 42
    assert version("{from: v, type: date}", "20250305") == 1741100400000000
    assert version("v", "") is None
    assert version("v", "soon") == "BAD_VERSION"
    assert version("{from: v, type: integer}", "-1") == "BAD_VERSION"
    assert version("{from: v, type: integer}", str(2**63)) == "BAD_VERSION"


def test_keys_of_several_parts_never_run_into_one_another() -> None:
    text = WORK_ORDER.replace("fields:", "key: [a, line_code]\nfields:")
    pairs = [("x|y", "z"), ("x", "y|z"), ("x\\", "y|z"), ("x\\|y", "z")]
    keys = {record.source_pk for a, b in pairs if isinstance(record := run("", text, a=a, line=b), MappedRecord)}
    assert len(keys) == 4
    assert isinstance(run("", text, a=None), Rejection)


@pytest.mark.parametrize(
    ("spec", "cells", "value", "message"),
    [
        ("{join: [일자, 시각]}", {"일자": "3월 45일", "시각": "08:00"}, "3월 45일 08:00", "'3월 45일 08:00' is not a"),
        ("""{expression: "date(일자)"}""", {"일자": "어제"}, "어제", "'어제' is not a"),
        (
            """{expression: "concat(date(일자), ' ', 시각)"}""",
            {"일자": "어제", "시각": "8"},
            "일자 = 어제, 시각 = 8",
            "'일자 = 어제",
        ),
        ("{from: [일자, 날짜]}", {"일자": None, "날짜": "어제"}, "어제", "'어제' is not a"),
    ],
)
def test_a_rejection_shows_the_cell_that_cannot_be_read(
    spec: str, cells: dict[str, Any], value: str, message: str
) -> None:
    result = run(text=WORK_ORDER.replace("  start_time: start\n", f"  start_time: {spec}\n"), **cells)
    assert isinstance(result, Rejection)
    assert (result.field, result.value) == ("start_time", value)
    assert message in result.message
    assert "None" not in result.message
    assert (result.source_pk, result.source_version) == ("W1", None)


def test_lists_are_built_of_columns_text_and_child_rows() -> None:
    columns = "  defect_details: {columns: {치수불량: dimension, 외관불량: look}}\n"
    assert payload(columns, 치수불량="3", 외관불량="0")["defect_details"] == [{"type": "dimension", "qty": 3}]
    assert payload(columns, 치수불량="0", 외관불량="")["defect_details"] == []
    assert "defect_details" not in payload(columns)
    assert rejection(columns, 치수불량="x").field == "defect_details"
    under = "  downtime_reasons: {columns_under: 비가동, unit: hours}\n"
    assert payload(under, **{"비가동 교체": "0.5", "비가동시간": None})["downtime_reasons"] == [
        {"reason": "교체", "minutes": 30}
    ]
    named = "  downtime_reasons: {columns_under: 비가동, values: {품목 교체: setup, Breakdown: breakdown}}\n"
    minutes = {"비가동 품목교체(분)": 20, "비가동 BREAKDOWN": 5, "비가동 청소": 3}
    assert payload(named, **minutes)["downtime_reasons"] == [
        {"reason": "setup", "minutes": 20},
        {"reason": "breakdown", "minutes": 5},
        {"reason": "청소", "minutes": 3},
    ]
    fixed = "  downtime_reasons: {columns: {교체: 셋업}, values: {셋업: setup}}\n"
    assert payload(fixed, 교체=4)["downtime_reasons"] == [{"reason": "setup", "minutes": 4}]
    cell = "  downtime_reasons: {text_list: {from: 사유}, values: {셋업: setup}}\n"
    assert payload(cell, 사유="셋업:4; 청소:1")["downtime_reasons"] == [
        {"reason": "setup", "minutes": 4},
        {"reason": "청소", "minutes": 1},
    ]
    text = '  defect_details: {text_list: {from: d, separator: ",", pair: ":"}}\n'
    assert payload(text, d="치수:3, 외관: 2")["defect_details"] == [
        {"type": "치수", "qty": 3},
        {"type": "외관", "qty": 2},
    ]
    assert rejection(text, d="치수").code == "WRONG_TYPE"
    child = "  defect_details: {items: {from: a.rows, fields: {type: name, qty: n}}}\n"
    rows = {"rows": [{"name": "x", "n": "1"}, {"name": "y", "n": 2.0}]}
    assert payload(child, a=rows)["defect_details"] == [{"type": "x", "qty": 1}, {"type": "y", "qty": 2}]
    assert rejection(child, a={"rows": 5}).code == "WRONG_TYPE"


def test_dotted_names_walk_into_json_unless_a_field_is_called_so() -> None:
    assert payload("  shift: a.b.1.c\n", a={"b": [{}, {"c": "day"}]})["shift"] == "day"
    assert payload("  shift: a.b\n", **{"a.b": "night", "a": {"b": "day"}})["shift"] == "night"
    assert "shift" not in payload("  shift: a.b.c\n", a="text")


def test_a_clock_time_that_is_not_after_the_start_is_of_the_next_day() -> None:
    text = WORK_ORDER.replace("  end_time: end\n", "  end_time: {join: [day, to], after: start_time}\n")
    record = run("", text, start="2025-03-05 22:00", day="2025-03-05", to="06:00")
    assert isinstance(record, MappedRecord)
    assert record.payload["end_time"] == "2025-03-06T06:00:00+09:00"


def test_a_business_date_and_the_mappings_own_zone() -> None:
    text = WORK_ORDER.replace("fields:", "timezone: UTC\nbusiness_date: day\nfields:")
    record = run("", text, day="2025.03.04")
    assert isinstance(record, MappedRecord)
    assert str(record.business_date) == "2025-03-04"
    assert record.payload["start_time"] == "2025-03-05T08:00:00+00:00"


def test_units_from_a_field_and_decimal_commas_of_the_whole_source() -> None:
    text = WORK_ORDER.replace("fields:", 'numbers: {decimal: ","}\nfields:') + (
        "  runtime_minutes: {from: t, unit_from: u}\n  rework_qty: {expression: total - bad}\n"
    )
    record = run("", text, total="1.500,5", bad="0,5", t="1,5", u="H")
    assert isinstance(record, MappedRecord)
    assert [record.payload[name] for name in ("total_qty", "runtime_minutes", "rework_qty")] == [1500.5, 90, 1500]
    unknown = run("", text, t="1", u="Q")
    assert isinstance(unknown, Rejection)
    assert unknown.field == "runtime_minutes"


def test_a_tenants_mapping_wins_over_the_shipped_one(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    folder = tmp_path / "tenants" / "acme" / "mappings"
    folder.mkdir(parents=True)
    (folder / "takt_mes_work_order.yml").write_text(WORK_ORDER, encoding="utf-8")
    assert find_mapping(settings, "acme", "takt_mes_work_order").source_system == "x"
    assert find_mapping(settings, "other", "takt_mes_work_order").source_system == "mes"
    assert len(list_mappings(settings, "acme")) == len(list_mappings(settings, "other"))
    for name in ("nothing", "../../secret", ""):
        with pytest.raises(UnknownMappingError):
            find_mapping(settings, "acme", name)
