"""Dates and times in the forms that plants write them, as ISO 8601 with the zone's offset."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SERIAL_DAY_ZERO = datetime(1899, 12, 30)  # noqa: DTZ001 - a spreadsheet's dates have no zone
_SERIAL_FIRST, _SERIAL_LAST = 29_000, 73_051  # 1979 to 2100
MICROSECOND = timedelta(microseconds=1)
_DAY = timedelta(days=1)

_DATE = re.compile(r"(\d{4})\s*(?:[-./]|년)\s*(\d{1,2})\s*(?:[-./]|월)\s*(\d{1,2})\s*(?:일|\.)?")
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})(?:[T\s]?(\d{2})(\d{2})(\d{2})?)?")
_WEEKDAY = re.compile(r"\s*\(?[월화수목금토일](?:요일)?\)?\s*(?=\d|오|$|[AaPp][Mm])")
_CLOCK = re.compile(
    r"(오전|오후|[AaPp]\.?[Mm]\.?)?\s*(\d{1,2})\s*(?::|시)\s*(?:(\d{1,2})\s*(?:[:분]\s*(?:(\d{1,2})(?:[.,](\d{1,6}))?\s*초?)?)?)?"
    r"\s*([AaPp]\.?[Mm]\.?)?"
)
_COMPACT_CLOCK = re.compile(r"(\d{2})(\d{2})(\d{2})?")
_OFFSET = re.compile(r"\s*(Z|[+-]\d{2}:?\d{2})$")
NOTHING = frozenset({"00000000", "0000-00-00", "0000-00-00 00:00:00"})
"""How SAP and MySQL write that there is no date."""


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970-01-01 UTC of an aware time."""
    return (moment - EPOCH) // MICROSECOND


def parse_clock(text: str) -> timedelta | None:
    """A time of day as the time since midnight, `24:00` and `오후 2:30` included; None when it is none."""
    if found := _CLOCK.fullmatch(text):
        before, hour, minute, second, fraction, after = found.groups()
        return _clock(before or after, int(hour), int(minute or 0), int(second or 0), fraction or "0")
    if found := _COMPACT_CLOCK.fullmatch(text):
        hour, minute, second = found.groups()
        return _clock(None, int(hour), int(minute), int(second or 0), "0")
    return None


def _clock(half: str | None, hour: int, minute: int, second: int, fraction: str) -> timedelta | None:
    if half:
        if not 1 <= hour <= 12 and not (half == "오후" and hour < 24):
            return None
        afternoon = half == "오후" or half[0] in "Pp"
        hour = hour % 12 + (12 if afternoon else 0)
    found = timedelta(hours=hour, minutes=minute, seconds=second, microseconds=int(fraction.ljust(6, "0")))
    return found if minute < 60 and second < 60 and found <= _DAY else None


def parse_date_text(text: str) -> tuple[date, str] | None:
    """The date at the start of a text, and what follows it; None without one. Raises ValueError for 2024-02-30."""
    if found := _DATE.match(text):
        rest = text[found.end() :]
    elif found := _COMPACT.fullmatch(text):
        hour, minute, second = found.group(4), found.group(5), found.group(6)
        rest = f"{hour}:{minute}:{second or '00'}" if hour else ""
    else:
        return None
    day = date(int(found.group(1)), int(found.group(2)), int(found.group(3)))
    return day, _WEEKDAY.sub("", rest, count=1).lstrip("T ").strip()


def naive_or_aware(text: str) -> datetime | None:
    """A moment out of text; without a time of day, midnight. None when it is none. Raises ValueError."""
    text = unicodedata.normalize("NFKC", text).strip()
    zone: tzinfo | None = None
    if (found := _OFFSET.search(text)) and found.start() > 10:
        zone = datetime.fromisoformat(f"2000-01-01T00:00:00{found.group(1)}").tzinfo
        text = text[: found.start()]
    split = parse_date_text(text)
    if split is None:
        return None
    day, rest = split
    clock = parse_clock(rest) if rest else timedelta(0)
    if clock is None:
        return None
    return datetime(day.year, day.month, day.day, tzinfo=zone) + clock


def serial_to_datetime(value: float) -> datetime | None:
    """A spreadsheet's serial number, or a whole number such as 20240305, as a time without zone."""
    if _SERIAL_FIRST <= value <= _SERIAL_LAST:
        moment = _SERIAL_DAY_ZERO + timedelta(days=value)
        return (moment + timedelta(milliseconds=500)).replace(microsecond=0)
    whole = int(value)
    if whole == value and 19000101 <= whole <= 21001231:
        return naive_or_aware(str(whole))
    return None


def moment_parser(formats: Sequence[str] | None) -> Callable[[Any], datetime | None]:
    """A function from a source value to a time, aware where the source says the offset. It raises ValueError."""
    if not formats:
        return _free_moment
    readers = [_by_format(form) for form in formats]

    def parse(value: Any) -> datetime | None:
        if isinstance(value, datetime | date):
            return _free_moment(value)
        for read in readers:
            found = read(value)
            if found is not None:
                return found
        raise ValueError(f"does not have the form {' or '.join(formats)}")

    return parse


def _by_format(form: str) -> Callable[[Any], datetime | None]:
    if form in ("epoch", "epoch_ms"):
        unit = timedelta(seconds=1) if form == "epoch" else timedelta(milliseconds=1)
        return lambda value: EPOCH + unit * float(value)

    def read(value: Any) -> datetime | None:
        try:
            return datetime.strptime(str(value).strip(), form)  # noqa: DTZ007 - the zone is added by the caller
        except ValueError:
            return None

    return read


def _free_moment(value: Any) -> datetime | None:
    if value is None:
        return None
    if isinstance(value, str):
        return _moment_of_text(value)
    if isinstance(value, datetime):
        return value.to_pydatetime() if hasattr(value, "to_pydatetime") else value  # pyright: ignore
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)  # noqa: DTZ001 - the zone is added by the caller
    if isinstance(value, int | float) and not isinstance(value, bool):
        found = serial_to_datetime(value)
        if found is not None:
            return found
    raise ValueError("is not a date or time")


def _moment_of_text(value: str) -> datetime | None:
    text = value.strip()
    if not text or text in NOTHING:
        return None
    # The compact and week forms that fromisoformat also takes would read 20240305 08 differently from what is meant.
    if len(text) >= 10 and text[4:5] == "-" and text[7:8] == "-":
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            pass
    try:
        found = naive_or_aware(text)
    except ValueError as error:
        raise ValueError("is not a date or time that exists") from error
    if found is None:
        found = _serial_text(text)
    if found is None:
        raise ValueError("is not a date or time")
    return found


def _serial_text(text: str) -> datetime | None:
    try:
        return serial_to_datetime(float(text))
    except (ValueError, OverflowError):
        return None


def in_zone(moment: datetime, zone: tzinfo) -> datetime:
    """A time with its offset; one without is taken as the zone's (of a repeated hour, the first)."""
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)


def to_clock_text(value: Any) -> str | None:
    """A time of day as `HH:MM:SS`; `24:00` is `00:00:00`. Raises ValueError."""
    if value is None:
        return None
    if isinstance(value, datetime | time):
        since = timedelta(hours=value.hour, minutes=value.minute, seconds=value.second)
    elif isinstance(value, timedelta):
        since = value
    elif isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
        since = timedelta(seconds=round(value * 86400))
    else:
        text = unicodedata.normalize("NFKC", str(value)).strip()
        if not text:
            return None
        found = parse_clock(text)
        if found is None:
            raise ValueError("is not a time of day")
        since = found
    seconds = int(since.total_seconds()) % 86400
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def joined_moment(parts: Sequence[Any]) -> Any:
    """A date cell and a time cell as one moment; None when the date is missing. Text is left to the parser."""
    day, *rest = parts
    if day is None or (isinstance(day, str) and day.strip() in {"", *NOTHING}):
        return None
    clock = next((part for part in rest if part is not None and str(part).strip()), None)
    if clock is None:
        return day
    moment = _free_moment(day)
    if moment is None:
        return None
    since = _since_midnight(clock)
    if since is None:
        raise ValueError("is not a time of day")
    return datetime(moment.year, moment.month, moment.day, tzinfo=moment.tzinfo) + since


def _since_midnight(clock: Any) -> timedelta | None:
    if isinstance(clock, timedelta):
        return clock
    if isinstance(clock, time):
        return timedelta(hours=clock.hour, minutes=clock.minute, seconds=clock.second)
    if isinstance(clock, float) and 0 <= clock <= 1:
        return timedelta(seconds=round(clock * 86400))
    text = unicodedata.normalize("NFKC", str(clock)).strip()
    return parse_clock(text.zfill(6) if text.isdigit() and len(text) in (3, 5) else text)
