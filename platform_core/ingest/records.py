"""From a mapped record to a line for COPY: checked, dated, written as JSON and hashed once. Pure.

This runs for every row read, so it is written for speed; benchmarks/ measures it against a COPY by hand.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from hashlib import blake2b
from json.encoder import encode_basestring as quote
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from platform_core.ingest.contracts import MappedRecord, Payload, Rejection
from platform_core.ingest.production_date import Calendar, Doubt
from platform_core.ingest.record_types import RecordType, stored_key
from platform_core.ingest.repeats import Repeats
from platform_core.ingest.validation import MAX_TEXT, InvalidRecord, Validator

MAX_KEY = 800
"""Characters of source_pk: with Korean text three bytes each, and an index row holds 2,704."""
SHIFT_DERIVED = "_shift_derived"
"""Marks a payload whose shift landing found from the time: a change of shifts may change it."""
DATE_GIVEN = "_date_given"
"""Marks a payload whose business date the mapping named: no change of shifts or zones moves it."""

_BIGINT = 2**63
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_NULL = "\\N"
_UNSETTLED = "\t\\N\t\\N\t\\N\n"
"""The verdict columns of a row that the merge itself will judge."""


@dataclass(slots=True)
class Batch:
    """Rows on their way to the database: COPY lines without their verdict, and what could not be used."""

    lines: list[str] = field(default_factory=list[str])
    versions: list[int | None] = field(default_factory=list[int | None])
    hashes: list[bytes] = field(default_factory=list[bytes])
    texts: list[str] = field(default_factory=list[str])
    """Canonical JSON, of master data only: their few rows are compared here and not in the database."""
    numbers: list[int] = field(default_factory=list[int])
    places: dict[str, int] = field(default_factory=dict[str, int])
    """Where each record came first."""
    repeated: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    """Where each record came that came more than once."""
    rejections: list[Rejection] = field(default_factory=list[Rejection])
    days: set[date] = field(default_factory=set[date])
    """Every business date."""

    @property
    def rows(self) -> int:
        """Rows read."""
        return len(self.lines) + len(self.rejections)

    def text(self, verdicts: Mapping[int, str]) -> str:
        """The batch for COPY; `verdicts` are the settled rows' last columns by place."""
        if not verdicts:
            return _UNSETTLED.join(self.lines) + _UNSETTLED if self.lines else ""
        return "".join(line + verdicts.get(place, _UNSETTLED) for place, line in enumerate(self.lines))


class Prepared(NamedTuple):
    """A record ready to be stored; `text` is its canonical JSON."""

    source_pk: str
    business_date: date | None
    line_code: str | None
    text: str
    content_hash: bytes


class Preparer:
    """Makes Prepared records of one record type; `doubts` counts what was doubtful about dates, by shift and line.

    `repeats` counts the records that others of the same load replace.
    """

    def __init__(self, kind: RecordType, calendar: Calendar, *, first_date: date, now: datetime) -> None:
        self._kind = kind
        self._validator = Validator(kind)
        self.calendar = calendar
        self._first_date = first_date
        self._now = now
        self._by_time = kind.date_field is not None and kind.fields[kind.date_field].type == "timestamp"
        self._has_shift = "shift" in kind.fields
        self._past_fields = tuple(_PAST_FIELDS & kind.fields.keys())
        self._known_bounds: dict[ZoneInfo, tuple[date, date, date]] = {}
        self.doubts: dict[tuple[Doubt, str | None, str | None], int] = {}
        self.repeats = Repeats()

    def prepare(self, source_pk: str, payload: Payload, given: date | None = None) -> Prepared:
        """Check and date a payload; `given` is the business date that the mapping names. Raises InvalidRecord."""
        text, record = self._validator.check(payload)
        if not self._kind.dated:
            source_pk = "|".join(str(payload.get(name) or "") for name in self._kind.key)
            return Prepared(source_pk, None, None, text, _hash(source_pk, None, text))
        if not source_pk or len(source_pk) > MAX_KEY or "\0" in source_pk:
            raise InvalidRecord("NO_KEY", None, source_pk[:80], f"The key is empty, or over {MAX_KEY} characters long.")
        line_code = payload.get("line_code")
        if line_code is None and "equipment_code" in payload:
            line_code = self.calendar.equipment_lines.get(payload["equipment_code"])
        if given is not None:
            business_date, mark = given, f',"{DATE_GIVEN}":true'
        else:
            business_date, mark = self._date(payload, record, line_code)
        self._check_date(payload, record, business_date, line_code)
        if mark:
            text = f"{text[:-1]}{mark}}}"
        return Prepared(source_pk, business_date, line_code, text, _hash(source_pk, business_date, text))

    def _date(self, payload: Payload, record: Any, line_code: str | None) -> tuple[date, str]:
        """The production date, and what landing adds to the payload."""
        name = self._kind.date_field
        assert name is not None, self._kind.name
        if not self._by_time:
            return date.fromisoformat(payload[name]), ""
        moment = datetime.fromisoformat(payload[name]) if record is None else getattr(record, name)
        shift = payload.get("shift") if self._has_shift else None
        placed = self.calendar.place(moment, line_code=line_code, shift=shift)
        if placed.doubt is not None and self._has_shift:
            doubt = (placed.doubt, shift, line_code)
            self.doubts[doubt] = self.doubts.get(doubt, 0) + 1
        if shift is None and placed.shift is not None and self._has_shift:
            return placed.date, f',"shift":{quote(placed.shift)},"{SHIFT_DERIVED}":true'
        return placed.date, ""

    def _check_date(self, payload: Payload, record: Any, business_date: date, line_code: str | None) -> None:
        name = self._kind.date_field
        if business_date < self._first_date:
            message = f"The production date {business_date} is before {self._first_date}, the first that is held."
            raise InvalidRecord("BEFORE_FIRST_DATE", name, payload.get(str(name)), message)
        today, latest, latest_past = self._bounds(line_code)
        if business_date > latest:
            message = f"The production date {business_date} is after {latest}, and the plant's today is {today}."
            raise InvalidRecord("IN_FUTURE", name, payload.get(str(name)), message)
        for name in _PAST_FIELDS & payload.keys() if record is None else self._past_fields:
            value = payload.get(name)
            if value is None:
                continue
            moment = datetime.fromisoformat(value) if record is None else getattr(record, name)
            day = moment if moment.__class__ is date else moment.date()
            if day > latest_past:
                raise InvalidRecord("IN_FUTURE", name, value, f"{name} {value} is ahead of the plant's today, {today}.")

    def _bounds(self, line_code: str | None) -> tuple[date, date, date]:
        """The plant's today, the last production date that it may send, and the last date of what has happened."""
        zone = self.calendar.zone_of(line_code)
        bounds = self._known_bounds.get(zone)
        if bounds is None:
            today = self._now.astimezone(zone).date()
            bounds = (today, today + timedelta(days=self._kind.future_days), today + timedelta(days=2))
            self._known_bounds[zone] = bounds
        return bounds

    def key_of(self, item: MappedRecord) -> str | None:
        """The key under which a rejected record would be stored; None where key or version are what is wrong."""
        version = item.source_version
        if version is not None and not -_BIGINT <= version < _BIGINT:
            return None
        key = item.source_pk if self._kind.dated else stored_key(self._kind, item.payload)
        return key if key and len(key) <= MAX_KEY and key.isprintable() else None

    def warnings(self) -> list[str]:
        """What the load lost to rows of the same key, then one sentence for each kind of doubt, most frequent first."""
        ranked = sorted(self.doubts.items(), key=lambda item: (-item[1], str(item[0])))
        return self.repeats.warnings() + [_sentence(*doubt, count) for doubt, count in ranked]


_PAST_FIELDS = frozenset({"end_time", "delivered_date", "end_timestamp"})
"""Fields that tell what has happened, so they cannot lie in the future."""


def _sentence(doubt: Doubt, shift: str | None, line_code: str | None, count: int) -> str:
    if doubt == "unknown_shift":
        return f"Shift {shift} of line {line_code} is unknown: {count} records are dated by the calendar day."
    return f"No shift of line {line_code} holds the start of {count} records: they are dated by the calendar day."


def _hash(source_pk: str, business_date: date | None, text: str) -> bytes:
    """Hash of the content. The date is content too: a mapping may name it, and a change of shifts may move it."""
    day = "None" if business_date is None else business_date.isoformat()
    try:
        return blake2b(f"{source_pk}\0{day}\0{text}".encode(), digest_size=16).digest()
    except UnicodeEncodeError:
        message = "A text holds half a character (a lone surrogate), which is not valid Unicode."
        raise InvalidRecord("BAD_TEXT", None, None, message) from None


def batches(items: Iterable[MappedRecord | Rejection], preparer: Preparer, *, size: int) -> Iterator[Batch]:
    """Prepare items and gather them, `size` rows at a time."""
    batch = Batch()
    for item in items:
        if isinstance(item, Rejection):
            batch.rejections.append(item)
        else:
            try:
                _add(batch, item, preparer)
            except InvalidRecord as verdict:
                batch.rejections.append(_rejection(item, verdict, preparer.key_of(item)))
        if len(batch.lines) + len(batch.rejections) >= size:
            preparer.repeats.look(batch)
            yield batch
            batch = Batch()
    if batch.rows:
        preparer.repeats.look(batch)
        yield batch


def _add(batch: Batch, item: MappedRecord, preparer: Preparer) -> None:
    number, source_pk, version, payload, _, given = item
    if version is not None and not -_BIGINT <= version < _BIGINT:
        raise InvalidRecord("BAD_VERSION", None, version, "The version is not a number of 64 bits.")
    key, day, line_code, text, content_hash = preparer.prepare(source_pk, payload, given)
    place = len(batch.lines)
    if batch.places.setdefault(key, place) != place:
        batch.repeated.setdefault(key, [batch.places[key]]).append(place)
    batch.lines.append(
        f"{number}\t{_escape(key)}\t{_NULL if version is None else version}\t"
        f"{_NULL if day is None else day.isoformat()}\t"
        f"{_NULL if line_code is None else _escape(line_code)}\t{_escape_json(text)}\t"
        f"\\\\x{content_hash.hex()}"
    )
    batch.versions.append(version)
    batch.hashes.append(content_hash)
    batch.numbers.append(number)
    if day is None:
        batch.texts.append(text)
    else:
        batch.days.add(day)


def _escape(text: str) -> str:
    return text if text.isprintable() and "\\" not in text else text.translate(_ESCAPES)


def _escape_json(text: str) -> str:
    """JSON has no control characters left, so only its backslashes mean something to COPY."""
    return text.replace("\\", "\\\\") if "\\" in text else text


def _rejection(item: MappedRecord, verdict: InvalidRecord, key: str | None) -> Rejection:
    value = None if verdict.value is None else str(verdict.value)[:MAX_TEXT]
    version = None if key is None else item.source_version
    return Rejection(item.number, verdict.code, verdict.field, value, verdict.message, item.text, key, version)
