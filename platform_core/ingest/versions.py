"""Which of several versions of one record is current: the order of arrival within one load, row by row. Pure.

The order is (source_version, arrival). A version without a number takes the moment of arrival, or the current
version's number when that is higher, so that the last to arrive wins. Where the file was read before, it takes the
moment at which that came first, so that the file once more changes nothing.
"""

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

Outcome = Literal["landed", "corrected", "unchanged", "outdated"]


class Known(NamedTuple):
    """What is stored of a record: its current version and content, and all (version, content)."""

    version: int
    content_hash: bytes
    stored: frozenset[tuple[int, bytes]] = frozenset()
    source_row: int = 0


class Repeated(NamedTuple):
    """A file that was read before: when it came first, and the numbers of the rows in question."""

    first_arrival: int
    numbers: Sequence[int]


class Verdict(NamedTuple):
    """How one row ended; `last` for the row that is current after all of them."""

    outcome: Outcome
    version: int
    last: bool


def settle(
    known: Known | None,
    rows: Iterable[tuple[int | None, bytes]],
    arrival: int,
    *,
    repeated: Repeated | None = None,
) -> list[Verdict]:
    """Take (explicit version or None, content hash) of one record one after the other; one verdict for each."""
    current = None if known is None else (known.version, known.content_hash)
    stored = (
        set(known.stored) | {(known.version, known.content_hash)} if known is not None else set[tuple[int, bytes]]()
    )
    verdicts: list[tuple[Outcome, int]] = []
    last = -1
    for place, (explicit, content_hash) in enumerate(rows):
        if explicit is None and repeated is not None:
            version = repeated.first_arrival
            outcome = _judge_again(known, current, stored, version, content_hash, repeated.numbers[place])
        else:
            version = explicit if explicit is not None else max(arrival, current[0] if current else arrival)
            outcome = _judge(current, stored, explicit, version, content_hash)
        if outcome in ("landed", "corrected"):
            current, last = (version, content_hash), place
        if outcome != "unchanged":
            stored.add((version, content_hash))
        verdicts.append((outcome, version))
    return [Verdict(outcome, version, place == last) for place, (outcome, version) in enumerate(verdicts)]


def _judge(
    current: tuple[int, bytes] | None,
    stored: set[tuple[int, bytes]],
    explicit: int | None,
    version: int,
    content_hash: bytes,
) -> Outcome:
    if current is None:
        return "landed"
    if explicit is None:
        return "unchanged" if content_hash == current[1] else "corrected"
    if version > current[0]:
        return "corrected"
    if (version, content_hash) in stored:
        return "unchanged"
    return "corrected" if version == current[0] else "outdated"


def _judge_again(
    known: Known | None,
    current: tuple[int, bytes] | None,
    stored: set[tuple[int, bytes]],
    version: int,
    content_hash: bytes,
    number: int,
) -> Outcome:
    """Of a row of a file that was read before: one above the stored one in the same file is older than that."""
    if current is not None and content_hash == current[1]:
        return "unchanged"
    outcome = _judge(current, stored, version, version, content_hash)
    is_above = known is not None and known.version == version and number < known.source_row
    return "outdated" if outcome == "corrected" and is_above else outcome
