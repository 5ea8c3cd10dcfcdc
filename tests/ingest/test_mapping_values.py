"""Single values as plants and their systems write them, and the language of expressions."""

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from platform_core.ingest.mapping.conversion import converter
from platform_core.ingest.mapping.expressions import ExpressionError, compile_expression, parse_expression
from platform_core.ingest.mapping.functions import FUNCTIONS, EvaluationError
from platform_core.ingest.mapping.schema import FieldSpec, Mapping
from platform_core.ingest.mapping.values import to_boolean, to_number, to_text

SEOUL = ZoneInfo("Asia/Seoul")


def naive(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("1,234", 1234),
        ("1,234,567.50", 1234567.5),
        (" 12 ", 12),
        ("-3", -3),
        ("123-", -123),
        ("(1,200)", -1200),
        ("１２３", 123),
        ("30개", 30),
        ("1,500 EA", 1500),
        ("₩1,000", 1000),
        ("1e3", 1000),
        ("0.1", 0.1),
        (1500.0, 1500),
        (Decimal("2.50"), 2.5),
        (Decimal("7.00"), 7),
        (7, 7),
        ("", None),
        (None, None),
        ("  ", None),
        ("−5", -5),
    ],
)
def test_numbers_are_read_as_they_are_written(value: Any, number: Any) -> None:
    found = to_number(value)
    assert found == number
    assert type(found) is type(number)


@pytest.mark.parametrize(
    "value",
    ["twelve", "1,5", "1.2.3", "12,34,567", "1_000", "nan", "inf", float("nan"), True, [], "9" * 50, "3시간", "--"],
)
def test_what_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        to_number(value)


@pytest.mark.parametrize(("value", "number"), [("1.234,5", 1234.5), ("12,5", 12.5), ("1.000", 1000), ("7", 7)])
def test_decimal_commas_are_an_option(value: str, number: float) -> None:
    assert to_number(value, ",") == number


@pytest.mark.parametrize(
    ("value", "text"),
    [(" L1 ", "L1"), (1001.0, "1001"), (1.5, "1.5"), (7, "7"), ("", None), (True, "true"), ("ᄀ\u1161", "가")],
)
def test_text_is_trimmed_composed_and_without_a_spreadsheets_point_zero(value: Any, text: str | None) -> None:
    assert to_text(value) == text


@pytest.mark.parametrize(
    ("value", "truth"), [("Y", True), ("예", True), ("0", False), ("미사용", False), ("", None), (1, True)]
)
def test_truth_is_read_in_korean_too(value: Any, truth: bool | None) -> None:
    assert to_boolean(value) is truth


def convert(kind: str, value: Any, field: str = "x", **spec: Any) -> Any:
    mapping = Mapping.model_validate(
        {
            "source_system": "s",
            "record_type": "cycle_time",
            "fields": {"line_code": "l", "product_code": "p", "ideal_cycle_sec": "c"},
        }
    )
    return converter(field, kind, FieldSpec.model_validate({"from": "x", **spec}), mapping, SEOUL)(value)


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2024-03-05T08:00:00+09:00", "2024-03-05T08:00:00+09:00"),
        ("2024-03-05 08:00:00", "2024-03-05T08:00:00+09:00"),
        ("2024-03-05T08:00:00Z", "2024-03-05T08:00:00+00:00"),
        ("2024-03-05 08:00:00.5", "2024-03-05T08:00:00.500000+09:00"),
        ("2024.03.05 24:00", "2024-03-06T00:00:00+09:00"),
        ("2024-03-05 오전 12:10", "2024-03-05T00:10:00+09:00"),
        ("2024-03-05 오후 2:30", "2024-03-05T14:30:00+09:00"),
        ("2024-03-05 2:30:15 PM", "2024-03-05T14:30:15+09:00"),
        ("2024년 3월 5일 14시 30분", "2024-03-05T14:30:00+09:00"),
        ("2024년 3월 5일(화) 14:30", "2024-03-05T14:30:00+09:00"),
        ("2024. 3. 5. 14:30", "2024-03-05T14:30:00+09:00"),
        ("2024/3/5 9:05", "2024-03-05T09:05:00+09:00"),
        ("20240305143000", "2024-03-05T14:30:00+09:00"),
        ("20240305 1430", "2024-03-05T14:30:00+09:00"),
        ("2024-03-05 14:30 +0900", "2024-03-05T14:30:00+09:00"),
        (naive("2024-03-05T14:30:00"), "2024-03-05T14:30:00+09:00"),
        (date(2024, 3, 5), "2024-03-05T00:00:00+09:00"),
        (45356.5, "2024-03-05T12:00:00+09:00"),
        ("45356.5", "2024-03-05T12:00:00+09:00"),
        ("", None),
        (None, None),
        ("00000000", None),
    ],
)
def test_times_are_read_in_every_form_and_given_with_their_offset(value: Any, moment: str | None) -> None:
    assert convert("timestamp", value) == moment


@pytest.mark.parametrize(
    "value", ["2024-02-30 08:00", "2024-13-01", "soon", "2024-03-05 25:00", "2024-03-05 오후 25:00", True, "12", 5]
)
def test_times_that_do_not_exist_are_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"date or time|not"):
        convert("timestamp", value)


def test_both_changes_of_the_clock_have_an_answer() -> None:
    berlin = {"timezone": "Europe/Berlin"}
    # Of the hour that comes twice, the first; the hour that is left out counts on from before.
    assert convert("timestamp", "2024-10-27 02:30", **berlin) == "2024-10-27T02:30:00+02:00"
    assert convert("timestamp", "2024-03-31 02:30", **berlin) == "2024-03-31T02:30:00+01:00"


@pytest.mark.parametrize(
    ("value", "spec", "moment"),
    [
        ("05.03.24 08:15", {"format": "%d.%m.%y %H:%M"}, "2024-03-05T08:15:00+09:00"),
        (1709593200, {"format": "epoch"}, "2024-03-04T23:00:00+00:00"),
        ("1709593200500", {"format": "epoch_ms"}, "2024-03-04T23:00:00.500000+00:00"),
        ("2024-03-05 08:00", {"timezone": "America/New_York"}, "2024-03-05T08:00:00-05:00"),
    ],
)
def test_forms_and_zones_can_be_told(value: Any, spec: dict[str, Any], moment: str) -> None:
    assert convert("timestamp", value, **spec) == moment


@pytest.mark.parametrize(
    ("value", "day"),
    [
        ("2024-03-05", "2024-03-05"),
        ("2024.3.5", "2024-03-05"),
        (20240305, "2024-03-05"),
        ("2024년 3월 5일", "2024-03-05"),
        ("2024-03-04T20:00:00Z", "2024-03-05"),
        (45356, "2024-03-05"),
        (naive("2024-03-05T23:59:00"), "2024-03-05"),
    ],
)
def test_dates_are_the_plants_dates(value: Any, day: str) -> None:
    assert convert("date", value) == day


@pytest.mark.parametrize(
    ("value", "clock"),
    [
        ("8:30", "08:30:00"),
        ("24:00", "00:00:00"),
        ("083000", "08:30:00"),
        (time(8, 30), "08:30:00"),
        (0.5, "12:00:00"),
        ("오후 1:05", "13:05:00"),
        (timedelta(hours=7), "07:00:00"),
    ],
)
def test_times_of_day(value: Any, clock: str) -> None:
    assert convert("time", value) == clock


@pytest.mark.parametrize(
    ("field", "value", "spec", "expected"),
    [
        ("runtime_minutes", 90, {}, 90),
        ("runtime_minutes", "7.5", {"unit": "hours"}, 450),
        ("runtime_minutes", "7:30", {}, 450),
        ("runtime_minutes", "7시간 30분", {}, 450),
        ("runtime_minutes", time(7, 30), {}, 450),
        ("runtime_minutes", timedelta(minutes=12), {}, 12),
        ("cycle_time_avg_sec", 250, {"unit": "milliseconds"}, 0.25),
        ("cycle_time_avg_sec", "18초", {}, 18),
        ("capacity", "95%", {"unit": "percent"}, 0.95),
        ("stock_qty", "1.5", {"scale": 1000}, 1500),
    ],
)
def test_units_become_those_of_the_payload(field: str, value: Any, spec: dict[str, Any], expected: float) -> None:
    assert convert("number", value, field, **spec) == expected


def evaluate(text: str, **values: Any) -> Any:
    return compile_expression(parse_expression(text), lambda name: lambda row: row.get(name))(values)


@pytest.mark.parametrize(
    ("text", "values", "result"),
    [
        ("total - defect", {"total": "1,500", "defect": 110}, 1390),
        ("총수량 - 불량", {"총수량": 10, "불량": "3"}, 7),
        ("a + b", {"a": 0.1, "b": 0.2}, 0.3),
        ("a + b", {"a": 1}, None),
        ("coalesce(a, b, 0)", {"a": " ", "b": None}, 0),
        ("-a * 2 + +b / 4 % 3", {"a": 1, "b": 8}, 0),
        ("'night' if h in ('야', 'N') else 'day'", {"h": "야"}, "night"),
        ("a if a is not None else 'x'", {"a": ""}, "x"),
        ("'big' if a > 9 else 'small'", {"a": "10"}, "big"),
        ("'eq' if a == '10' and not b else 'ne'", {"a": 10.0, "b": False}, "eq"),
        ("concat(a, '-', strip_zeros(b))", {"a": "X", "b": "007"}, "X-7"),
        ("part(a, '-', 2)", {"a": "WO-77-1"}, "77"),
        ("field('가동시간(분)') / 60", {"가동시간(분)": 90}, 1.5),
        ("sum_of(rows, 'q')", {"rows": [{"q": 1}, {"q": "2"}, {}]}, 3),
        ("first_of(rows, 't')", {"rows": [{"t": "b"}, {"t": "a"}]}, "a"),
        ("last_of(rows, 't')", {"rows": []}, None),
        ("round(a, 1)", {"a": 2.25}, 2.2),
        ("total(a, b)", {"a": None, "b": 2}, 2),
        ("minutes_between(a, b)", {"a": "2024-03-05T08:00:00+09:00", "b": "2024-03-05T00:30:00+00:00"}, 90),
        ("date(a)", {"a": naive("2024-03-05T08:00:00")}, "2024-03-05"),
        ("nullif(a, '-')", {"a": "-"}, None),
        ("least(a, b)", {"a": 3, "b": 2}, 2),
    ],
)
def test_expressions_have_the_value_they_say(text: str, values: dict[str, Any], result: Any) -> None:
    assert evaluate(text, **values) == result


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os')",
        "a.b",
        "a[0]",
        "lambda: 1",
        "[x for x in a]",
        "f'{a}'",
        "open('x')",
        "a ** 9",
        "(a := 1)",
        "1 <",
        "a < b < c",
        "concat()",
        "coalesce(*a)",
        "round(a, digits=1)",
        "field(a)",
        "a if b",
        "b'x'",
        "1j",
        "a" * 2000,
        "x in a",
        "-" * 90 + "a",
        "{}",
        "a; b",
        "yield a",
        "a @ b",
        "a << 9",
        "...",
    ],
)
def test_nothing_but_the_language_is_accepted(text: str) -> None:
    with pytest.raises(ExpressionError):
        evaluate(text, a=1, b=2, c=3)


def test_division_by_zero_is_an_error_of_the_row() -> None:
    with pytest.raises(EvaluationError, match="divides by zero"):
        evaluate("a / b", a=1, b=0)


def test_every_function_says_what_it_means() -> None:
    assert all(function.meaning and function.arguments[0] <= function.arguments[1] for function in FUNCTIONS.values())
