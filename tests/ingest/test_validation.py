"""What one record shows by itself rejects that record, and the same content always gives the same text."""

import json
import math
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platform_core.ingest.record_types import RECORD_TYPES
from platform_core.ingest.validation import InvalidRecord, Validator
from tests.ingest.landing_help import work_order

ORDERS = Validator(RECORD_TYPES["work_order"])


def payload(**fields: Any) -> dict[str, Any]:
    return {key: value for key, value in work_order(**fields).payload.items() if value is not ...}


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"line_code": ...}, "MISSING_FIELD", "line_code"),
        ({"line_code": None}, "MISSING_FIELD", "line_code"),
        ({"line_code": ""}, "MISSING_FIELD", "line_code"),
        ({"line_code": 7}, "WRONG_TYPE", "line_code"),
        ({"line_code": "L" * 201}, "TOO_LONG", "line_code"),
        ({"good_qty": "1390"}, "WRONG_TYPE", "good_qty"),
        ({"good_qty": True}, "WRONG_TYPE", "good_qty"),
        ({"good_qty": math.nan}, "WRONG_TYPE", "good_qty"),
        ({"good_qty": math.inf}, "WRONG_TYPE", "good_qty"),
        ({"good_qty": 10**19}, "TOO_LARGE", "good_qty"),
        ({"defect_qty": -1}, "NEGATIVE", "defect_qty"),
        ({"total_qty": 1499}, "TOTAL_MISMATCH", "total_qty"),
        ({"end_time": "2026-03-09T07:59:59+09:00"}, "END_BEFORE_START", "end_time"),
        ({"start_time": "2026-03-09T08:00:00"}, "WRONG_TYPE", "start_time"),
        ({"start_time": "yesterday"}, "WRONG_TYPE", "start_time"),
        ({"start_time": "0001-01-01T00:00:00+09:00"}, "OUT_OF_RANGE", "start_time"),
        ({"defect_details": {"type": "dent"}}, "BAD_DETAILS", "defect_details"),
        ({"defect_details": [{"qty": 1}]}, "BAD_DETAILS", "defect_details"),
        ({"defect_details": [{"type": "dent", "qty": -1}]}, "BAD_DETAILS", "defect_details"),
        ({"defect_details": [{"type": "dent", "qty": math.nan}]}, "BAD_DETAILS", "defect_details"),
        ({"downtime_reasons": [{"reason": "setup", "minutes": "5"}]}, "BAD_DETAILS", "downtime_reasons"),
        ({"quality_checks": [{"checkpoint": "눈", "pass": "yes"}]}, "BAD_DETAILS", "quality_checks"),
        ({"operator_id": "a\0b"}, "BAD_TEXT", None),
        ({"extra": "x" * 1_000_001}, "TOO_LONG", None),
        ({"extra": math.nan}, "WRONG_TYPE", "extra"),
    ],
)
def test_a_record_that_cannot_be_right_is_refused_by_name(fields: dict[str, Any], code: str, field: str | None) -> None:
    with pytest.raises(InvalidRecord) as verdict:
        ORDERS.write(payload(**fields))
    assert (verdict.value.code, verdict.value.field) == (code, field)


@pytest.mark.parametrize(
    ("kind", "record", "code"),
    [
        ("order", {"delivery_date": "2026-02-30"}, "WRONG_TYPE"),
        (
            "order",
            {"delivery_date": "2026-03-01", "delivered_date": "2026-03-01", "delivered_qty": 0},
            "DELIVERED_NOTHING",
        ),
        ("equipment_event", {"event_type": "party"}, "NOT_ALLOWED"),
        ("equipment_event", {"event_type": "idle", "end_timestamp": "2026-03-09T07:00:00+09:00"}, "END_BEFORE_START"),
        ("line", {"timezone": "Asia/Soul"}, "NOT_ALLOWED"),
        ("line", {"timezone": "../etc/passwd"}, "NOT_ALLOWED"),
        ("shift", {"start_time": "25:00"}, "WRONG_TYPE"),
        ("shift", {"start_time": "08:00+09:00"}, "WRONG_TYPE"),
        ("shift", {"shift_order": 1.5}, "WRONG_TYPE"),
        ("cycle_time", {"ideal_cycle_sec": 0}, "TOO_SMALL"),
        ("line", {"is_active": 1}, "WRONG_TYPE"),
        ("line", {"attributes": {"x": object()}}, "WRONG_TYPE"),
    ],
)
def test_each_record_type_has_its_own_rules(kind: str, record: dict[str, Any], code: str) -> None:
    sound = {
        "order": {"order_id": "O", "customer_code": "C", "product_code": "P", "order_qty": 1},
        "equipment_event": {"event_id": "E", "equipment_code": "Q", "timestamp": "2026-03-09T08:00:00+09:00"},
        "line": {"line_code": "L", "name": "L"},
        "shift": {"shift_code": "S", "name": "S", "start_time": "08:00", "end_time": "16:00"},
        "cycle_time": {"line_code": "L", "product_code": "P"},
    }[kind]
    with pytest.raises(InvalidRecord) as verdict:
        Validator(RECORD_TYPES[kind]).write(sound | record)
    assert verdict.value.code == code


def test_the_same_content_gives_the_same_text_whatever_its_order_and_spelling() -> None:
    one = payload(defect_details=[{"type": "dent", "qty": 110, "cost": None}], rework_qty=None)
    other = dict(reversed(payload(total_qty=1500.0, defect_details=[{"qty": 110.0, "type": "dent"}]).items()))
    other["start_time"] = "2026-03-09T08:00:00.000000+09:00"
    assert ORDERS.write(one) == ORDERS.write(other)


def test_decimals_may_miss_each_other_by_rounding_only() -> None:
    ORDERS.write(payload(total_qty=0.3, good_qty=0.1, defect_qty=0.2))
    with pytest.raises(InvalidRecord, match=r"total_qty is 0\.3"):
        ORDERS.write(payload(total_qty=0.3, good_qty=0.1, defect_qty=0.2001))


def test_midnight_at_the_end_of_a_day_is_the_next_days_beginning() -> None:
    shift = {"shift_code": "S", "name": "S", "start_time": "16:00", "end_time": "24:00"}
    assert json.loads(Validator(RECORD_TYPES["shift"]).write(shift))["end_time"] == "00:00:00"


TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=200)
AMOUNTS = st.integers(0, 10**6) | st.floats(0, 10**6, allow_nan=False).map(lambda value: round(value, 3))


@given(TEXTS, AMOUNTS, AMOUNTS, st.lists(st.fixed_dictionaries({"type": TEXTS, "qty": AMOUNTS}), max_size=3))
def test_what_is_written_is_json_that_says_the_same(
    operator: str, good: float, bad: float, details: list[dict[str, Any]]
) -> None:
    record = payload(operator_id=operator, good_qty=good, defect_qty=bad, total_qty=good + bad, defect_details=details)
    text = ORDERS.write(record)
    written = json.loads(text)
    assert written | {"total_qty": 0} == record | {"total_qty": 0}
    assert written["total_qty"] == round(good + bad, 3)
    assert ORDERS.write(written) == text


@given(AMOUNTS, AMOUNTS)
def test_quantities_that_are_accepted_add_up_exactly_in_the_database(total: float, bad: float) -> None:
    good = max(total, bad) - min(total, bad)
    text = ORDERS.write(payload(total_qty=max(total, bad), good_qty=good, defect_qty=min(total, bad)))
    exact = json.loads(text, parse_float=Decimal, parse_int=Decimal)
    assert exact["good_qty"] + exact["defect_qty"] == exact["total_qty"]


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(), lambda inner: st.lists(inner, max_size=3), max_leaves=5
    )
)
def test_any_value_in_any_field_is_either_written_or_refused(value: Any) -> None:
    for name in RECORD_TYPES["work_order"].fields:
        try:
            ORDERS.write(payload() | {name: value})
        except InvalidRecord as verdict:
            assert verdict.code  # noqa: PT017 - both ends are good
