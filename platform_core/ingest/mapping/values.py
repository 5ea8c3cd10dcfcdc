"""Single values: text, numbers, booleans and durations as plants and their systems write them."""

import math
import re
import unicodedata
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

_GROUPED = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d*)?(?:[eE][+-]?\d+)?")
_SUFFIX = re.compile(r"^([+-]?[\d.,]+)\s*(개|EA|ea|Ea|pcs|PCS|원|대|매|장|세트|kg|KG|g|m|건|회|명)$")
_CLOCK = re.compile(r"^(\d{1,4}):([0-5]?\d)(?::([0-5]?\d(?:\.\d+)?))?$")
_KOREAN_DURATION = re.compile(r"^(?:(\d+(?:\.\d+)?)\s*시간)?\s*(?:(\d+(?:\.\d+)?)\s*분)?\s*(?:(\d+(?:\.\d+)?)\s*초)?$")
_DIGITS_LIMIT = 40

TRUE_TEXTS = frozenset({"true", "t", "1", "y", "yes", "예", "사용", "활성", "○", "o"})
FALSE_TEXTS = frozenset({"false", "f", "0", "n", "no", "아니오", "미사용", "비활성", "×", "x"})
SECONDS = {"days": 86400.0, "hours": 3600.0, "minutes": 60.0, "seconds": 1.0, "milliseconds": 0.001}
UNIT_WORDS = {
    **dict.fromkeys(("D", "DAY", "DAYS", "일", "TAG"), "days"),
    **dict.fromkeys(("H", "HR", "HRS", "HUR", "STD", "HOUR", "HOURS", "시간", "시"), "hours"),
    **dict.fromkeys(("MIN", "MINUTE", "MINUTES", "MINS", "M", "분"), "minutes"),
    **dict.fromkeys(("S", "SEC", "SECOND", "SECONDS", "SECS", "초"), "seconds"),
    **dict.fromkeys(("MS", "MSE", "MSEC"), "milliseconds"),
}


def to_text(value: Any) -> str | None:
    """Text without surrounding spaces, whole numbers without `.0`; None when there is none. Raises ValueError."""
    if type(value) is str:
        text = value.strip()
        if not text.isascii() and not unicodedata.is_normalized("NFC", text):
            text = unicodedata.normalize("NFC", text)
        return text or None
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, dict | list):
        raise ValueError("is a list or an object, not text")
    return str(value)


def to_number(value: Any, decimal: str = ".") -> int | float | None:
    """A finite number, whole ones as int; thousands may be grouped, `123-`, `(123)` and `30개` are understood.

    None for empty text. Raises ValueError.
    """
    if type(value) is int:
        return value
    if type(value) is float:
        return _tidy(value)
    if type(value) is str:
        return _number_of_text(value, decimal)
    if value is None:
        return None
    if isinstance(value, bool):
        raise ValueError("is true or false, not a number")
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else _tidy(float(value))
    if isinstance(value, int):
        return int(value)
    raise ValueError("is not a number")


def _tidy(value: float) -> int | float:
    if not math.isfinite(value):
        raise ValueError("is not a finite number")
    return int(value) if value.is_integer() and abs(value) < 1e15 else value


def _number_of_text(text: str, decimal: str) -> int | float | None:
    if len(text) > _DIGITS_LIMIT:
        text = text.strip()
        if len(text) > _DIGITS_LIMIT:
            raise ValueError("is not a number")
    if decimal == "." and "_" not in text:
        try:
            return int(text)
        except ValueError:
            pass
        try:
            return _tidy(float(text))
        except ValueError:
            pass
    return _irregular_number(text.strip(), decimal)


def _irregular_number(text: str, decimal: str) -> int | float | None:
    text = unicodedata.normalize("NFKC", text).replace("\N{MINUS SIGN}", "-").replace("₩", "").replace("\\", "").strip()
    if not text:
        return None
    if found := _SUFFIX.match(text):
        text = found.group(1)
    if text.endswith("-") and text[:1] not in "+-":
        text = "-" + text[:-1].rstrip()
    elif text.startswith("(") and text.endswith(")"):
        text = "-" + text[1:-1].strip()
    if decimal == ",":
        text = text.translate(str.maketrans(".,", ",."))
    if "," in text:
        if not _GROUPED.fullmatch(text):
            raise ValueError("is not a number")
        text = text.replace(",", "")
    if "_" in text or not any(c.isdigit() for c in text):
        raise ValueError("is not a number")
    try:
        return int(text) if text.lstrip("+-").isdigit() else _tidy(float(text))
    except ValueError as error:
        raise ValueError("is not a number") from error


def to_integer(value: Any, decimal: str = ".") -> int | None:
    """A whole number; raises ValueError for a fraction."""
    number = to_number(value, decimal)
    if isinstance(number, float):
        raise ValueError("is not a whole number")
    return number


def to_boolean(value: Any) -> bool | None:
    """A truth value, also as Y/N, 예/아니오, 사용/미사용; raises ValueError."""
    if isinstance(value, bool) or value is None:
        return value
    text = (to_text(value) or "").casefold()
    if text in TRUE_TEXTS:
        return True
    if text in FALSE_TEXTS:
        return False
    if not text:
        return None
    raise ValueError("is neither true nor false")


def to_ratio(value: Any, decimal: str = ".") -> int | float | None:
    """A percentage as a ratio: `95%` and 95 are 0.95."""
    if isinstance(value, str):
        value = unicodedata.normalize("NFKC", value).strip().removesuffix("%")
    number = to_number(value, decimal)
    return None if number is None else rounded(number / 100)


def duration_seconds(value: Any, unit: str, decimal: str = ".") -> float | None:
    """A duration in seconds: a number in `unit`, a clock `7:30`, `1시간 30분`, or a spreadsheet's time cell."""
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, datetime):
        raise ValueError("is a point in time, not a duration")
    if isinstance(value, time):
        return value.hour * 3600 + value.minute * 60 + value.second + value.microsecond / 1e6
    if isinstance(value, str):
        special = _written_duration(unicodedata.normalize("NFKC", value).strip())
        if special is not None:
            return special
    number = to_number(value, decimal)
    return None if number is None else number * SECONDS[unit]


def _written_duration(text: str) -> float | None:
    if found := _CLOCK.match(text):
        return int(found.group(1)) * 3600 + int(found.group(2)) * 60 + float(found.group(3) or 0)
    if text and (found := _KOREAN_DURATION.match(text)) and any(found.groups()):
        hours, minutes, seconds = (float(part or 0) for part in found.groups())
        return hours * 3600 + minutes * 60 + seconds
    return None


def unit_word(value: Any) -> str:
    """The unit that a source's unit column means; raises ValueError."""
    unit = UNIT_WORDS.get((to_text(value) or "").upper())
    if unit is None:
        raise ValueError("is no unit of time")
    return unit


def rounded(value: float) -> int | float:
    """A computed number without the noise of binary fractions: 0.1 + 0.2 is 0.3, whole numbers are int."""
    return _tidy(round(value, 9)) if isinstance(value, float) else value
