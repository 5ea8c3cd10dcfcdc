"""The quick way of checking a record never differs from the careful one: same text, same verdict, same date."""

import json
import math
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platform_core.ingest.contracts import Payload, Rejection
from platform_core.ingest.production_date import Calendar
from platform_core.ingest.readers import json_reader
from platform_core.ingest.record_types import DETAILS, RECORD_TYPES, Field, RecordType
from platform_core.ingest.records import Preparer
from platform_core.ingest.validation import InvalidRecord, Validator

QUICK = ("work_order", "order", "inventory", "equipment_event", "cycle_time")

TEXTS = st.text(max_size=12) | st.sampled_from(
    [
        "",
        "L01",
        "x" * 200,
        "x" * 201,
        '1.0,"',
        "Z",
        'Z"',
        '","start_time":"2026-03-09T08:00:00Z',
        "\\u0000",
        "a\0b",
        "\ud800",
        "L\t1\n",
        "한글 라인",
        "한글",
        "x" * 10_001,
    ]
)
NUMBERS = (
    st.integers(0, 1000)
    | st.integers()
    | st.floats()
    | st.floats(0, 1000).map(lambda value: round(value, 2))
    | st.sampled_from([0.0, -0.0, 5.0, 1e-5, 1e-4, 9.99e-5, 1e15, 1e16, 1e18, 10**18, 10**18 + 1, 2**64, True])
)
TIMES = st.sampled_from(
    [
        "2026-03-09T08:00:00+09:00",
        "2026-03-09T16:00:00+09:00",
        "2026-03-08T23:00:00+00:00",
        "2026-03-08T23:00:00-00:00",
        "2026-03-08T23:00:00Z",
        "2026-03-08T23:00:00.12345Z",
        "2026-03-09 08:00:00+09:00",
        "2026-03-09t08:00:00+09:00",
        "2026-03-09T08:00:00+09:60",
        "2026-03-09T24:00:00+09:00",
        "2026-W11-1T08:00:00+09:00",
        "2026-03-09T08:00:00",
        "2026-03-09T08:00:00.5+0900",
        "0999-12-31T08:00:00+09:00",
        "9000-12-31T08:00:00+09:00",
        "tomorrow",
    ]
) | st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat)
DATES = st.sampled_from(
    ["2026-03-09", "20260309", "2026-02-30", "2026-W11-1", "2026-03-09T00:00:00", "0001-01-01", "2026-3-9"]
) | st.dates().map(date.isoformat)
ANYTHING = st.none() | st.booleans() | NUMBERS | TEXTS | st.lists(st.none() | TEXTS, max_size=2) | TIMES | DATES


def values(name: str, field: Field, details: dict[str, Any] | None) -> st.SearchStrategy[Any]:
    """Values of one field, mostly of its type."""
    if details is not None:
        entry = st.fixed_dictionaries({}, optional={one: values(one, of, None) for one, of in details.items()})
        return st.lists(entry | st.fixed_dictionaries({one: values(one, of, None) for one, of in details.items()}))
    if field.values is not None:
        return st.sampled_from([*field.values, "other"])
    by_type = {"text": TEXTS, "number": NUMBERS, "integer": NUMBERS, "timestamp": TIMES, "date": DATES}
    return by_type.get(field.type, st.booleans())


def payloads(kind: RecordType) -> st.SearchStrategy[Payload]:
    """Payloads of a type that are mostly sound, with a few fields left out, null, odd or unknown."""
    told = {
        name: st.one_of([values(name, field, dict(DETAILS.get((kind.name, name), {})) or None)] * 3 + [st.none()])
        for name, field in kind.fields.items()
    }
    usual = {name: sound(kind, name, field) for name, field in kind.fields.items() if field.required}
    return st.builds(
        lambda changed, odd: usual | changed | odd,
        st.fixed_dictionaries({}, optional=told),
        st.dictionaries(st.sampled_from([*kind.fields, "extra", "end_time"]), ANYTHING, max_size=1),
    )


def sound(kind: RecordType, name: str, field: Field) -> Any:
    """A sound value of a required field."""
    if field.values is not None:
        return field.values[0]
    sums = {"total_qty": 3, "good_qty": 2, "defect_qty": 1}
    if kind.name == "work_order" and name in sums:
        return sums[name]
    by_type = {"number": 7, "date": "2026-03-09", "timestamp": "2026-03-09T08:00:00+09:00", "time": "08:00:00"}
    return by_type.get(field.type, "L01")


def verdict(validator: Validator, payload: Payload) -> tuple[Any, ...]:
    try:
        return (validator.write(payload),)
    except InvalidRecord as invalid:
        return invalid.code, invalid.field, repr(invalid.value), invalid.message


def careful(kind: RecordType) -> Validator:
    validator = Validator(kind)
    validator._quick = None  # pyright: ignore[reportPrivateUsage] - what there is to compare with
    return validator


@pytest.mark.parametrize("kind", RECORD_TYPES.values(), ids=list(RECORD_TYPES))
@given(data=st.data())
def test_a_payload_gets_the_same_text_or_the_same_verdict_either_way(kind: RecordType, data: st.DataObject) -> None:
    payload = data.draw(payloads(kind))
    assert verdict(Validator(kind), payload) == verdict(careful(kind), payload)


@pytest.mark.parametrize("kind", [kind for kind in RECORD_TYPES.values() if kind.dated], ids=lambda kind: kind.name)
@given(data=st.data())
def test_a_payload_gets_the_same_date_either_way(kind: RecordType, data: st.DataObject) -> None:
    payload = data.draw(payloads(kind))
    now = datetime(2026, 3, 10, 3, 0, tzinfo=UTC)
    results: list[Any] = []
    for validator in (Validator(kind), careful(kind)):
        preparer = Preparer(kind, Calendar(ZoneInfo("Asia/Seoul")), first_date=date(2024, 1, 1), now=now)
        preparer._validator = validator  # pyright: ignore[reportPrivateUsage]
        try:
            results.append((preparer.prepare("key", payload), preparer.warnings()))
        except (InvalidRecord, ValueError, TypeError) as error:
            results.append(repr(error))
    assert results[0] == results[1]


@pytest.mark.parametrize("kind", QUICK)
def test_a_sound_record_takes_the_quick_way(kind: str) -> None:
    fields = RECORD_TYPES[kind].fields.items()
    record = {name: sound(RECORD_TYPES[kind], name, field) for name, field in fields if field.required}
    assert Validator(RECORD_TYPES[kind]).check(record)[1] is not None
    assert Validator(RECORD_TYPES[kind]).check(record | {"extra": "a"})[1] is None


JSON = st.recursive(
    ANYTHING, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)
LINES = (
    st.builds(lambda value, ascii_only: json.dumps(value, ensure_ascii=ascii_only), JSON, st.booleans())
    | st.text(max_size=20)
    | st.from_regex(
        r'\{"a":-?[0-9]{1,30}(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?,"a":[0-9.]{1,3}\}\r?\n?', fullmatch=True
    )
    | st.sampled_from(['{"a":NaN}', '{"a":-0,"b":-0.0}', '{"a":1e400}', '\ufeff{"a":1}', '{"a":1}x', '{"a":"\ufffd"}'])
    | st.sampled_from(['{"a":"\\ud800"}', '{"a":"\\u0000"}', '{"\\u0061":1,"a":2}', '{"a":"\x00"}', '{"a":"\udc80"}'])
)


@given(LINES)
def test_a_line_reads_the_same_by_either_decoder(line: str) -> None:
    quick = json_reader._line_row(7, line)  # pyright: ignore[reportPrivateUsage]
    careful = json_reader._careful_row(7, line)  # pyright: ignore[reportPrivateUsage]
    assert repr(quick) == repr(careful)  # tells 1 from 1.0 and 0.0 from -0.0, and the order of keys


def test_an_escape_in_a_line_is_read_as_what_it_says() -> None:
    row = json_reader._line_row(1, '{"a": "x\\ty \\ud83d\\ude00"}')  # pyright: ignore[reportPrivateUsage]
    assert row is not None
    assert not isinstance(row, Rejection)
    assert row.fields == {"a": "x\ty \N{GRINNING FACE}"}


def test_numbers_that_are_none_are_refused_either_way() -> None:
    record = {"line_code": "L", "product_code": "P", "ideal_cycle_sec": math.nan}
    kind = RECORD_TYPES["cycle_time"]
    assert verdict(Validator(kind), record) == verdict(careful(kind), record)
