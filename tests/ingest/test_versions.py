"""Of several versions of one record the highest is current, whatever order they come in."""

from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from platform_core.ingest.versions import Known, settle

ARRIVAL = 1_000


def content(number: int) -> bytes:
    return bytes([number])


def outcomes(known: Known | None, rows: list[tuple[int | None, bytes]]) -> list[str]:
    return [verdict.outcome for verdict in settle(known, rows, ARRIVAL)]


def test_versions_of_one_load_are_taken_one_after_the_other() -> None:
    rows = [(1, content(1)), (3, content(3)), (2, content(2)), (3, content(3)), (2, content(2)), (4, content(3))]
    verdicts = settle(None, rows, ARRIVAL)
    assert [one.outcome for one in verdicts] == [
        "landed", "corrected", "outdated", "unchanged", "unchanged", "corrected",
    ]  # fmt: skip
    assert [one.last for one in verdicts] == [False, False, False, False, False, True]


def test_without_versions_the_last_to_arrive_wins() -> None:
    a, b = content(1), content(2)
    assert outcomes(Known(7, a), [(None, a), (None, b), (None, a), (None, a)]) == [
        "unchanged", "corrected", "corrected", "unchanged",
    ]  # fmt: skip
    assert settle(Known(ARRIVAL + 5, a), [(None, b)], ARRIVAL)[0] == ("corrected", ARRIVAL + 5, True)


def test_the_same_version_with_other_content_wins_by_arriving_later() -> None:
    stored = frozenset({(5, content(1)), (5, content(2))})
    assert outcomes(Known(5, content(2), stored), [(5, content(1))]) == ["unchanged"]
    assert outcomes(Known(5, content(2), stored), [(5, content(3))]) == ["corrected"]


@given(st.lists(st.integers(0, 6), min_size=1, max_size=5, unique=True), st.data())
def test_any_order_and_repetition_of_versioned_records_ends_with_the_same_current_one(
    versions: list[int], data: st.DataObject
) -> None:
    for order in permutations(versions):
        extra = data.draw(st.lists(st.sampled_from(versions), max_size=3))
        rows: list[tuple[int | None, bytes]] = [(one, content(one)) for one in [*order, *extra]]
        verdicts = settle(None, rows, ARRIVAL)
        assert [rows[place][0] for place, one in enumerate(verdicts) if one.last] == [max(versions)]
        stored = [row for row, one in zip(rows, verdicts, strict=True) if one.outcome != "unchanged"]
        assert len(stored) == len(set(stored)) == len(versions)
