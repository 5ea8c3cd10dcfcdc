"""Marks: renewed, never lost to a run that began before them, and due when they should be."""

from datetime import timedelta

from platform_core.warehouse.connection import transaction
from platform_core.warehouse.contracts import UNDATED
from platform_core.warehouse.dirty import due_dates, due_undated, mark_dirty
from platform_core.warehouse.store import dirty as store
from tests.warehouse.small import FACT, MART, NOW, STAGING, SmallFactory, day


def test_marking_again_renews_and_an_older_generation_clears_nothing(factory: SmallFactory) -> None:
    with transaction(factory.warehouse) as conn:
        mark_dirty(conn, factory.tenant, STAGING, [day(4)], reason="one")
        read = store.generations(conn, STAGING, [day(4)])
        mark_dirty(conn, factory.tenant, STAGING, [day(4)], reason="two")
        store.clear(conn, STAGING, read)
        assert conn.execute("select reason from core.dirty_partition").fetchall() == [("two",)]
        store.clear(conn, STAGING, store.generations(conn, STAGING, [day(4)]))
        assert conn.execute("select reason from core.dirty_partition").fetchall() == []


def test_a_mark_for_later_does_not_put_off_one_for_now(factory: SmallFactory) -> None:
    later = NOW + timedelta(hours=1)
    with transaction(factory.warehouse) as conn:
        mark_dirty(conn, factory.tenant, STAGING, [day(4), day(5)], reason="open", due_at=later)
        mark_dirty(conn, factory.tenant, STAGING, [day(4)], reason="landed")
        assert due_dates(conn, NOW) == (day(4),)
        mark_dirty(conn, factory.tenant, STAGING, [day(4)], reason="open", due_at=later)
        assert due_dates(conn, NOW) == (day(4),)
        assert due_dates(conn, later) == (day(4), day(5))


def test_a_change_spreads_forward_but_not_past_tomorrow(factory: SmallFactory) -> None:
    with transaction(factory.warehouse) as conn:
        mark_dirty(conn, factory.tenant, STAGING, [day(17)], reason="x", lookback_days=31, today=day(18))
    assert factory.marks(STAGING) == [day(17), day(18), day(19)]
    with transaction(factory.warehouse) as conn:
        mark_dirty(
            conn, factory.tenant, FACT, [day(25)], reason="a delivery that is due", lookback_days=3, today=day(18)
        )
    assert factory.marks(FACT) == [day(25)]


def test_models_without_dates_are_due_by_name(factory: SmallFactory) -> None:
    with transaction(factory.warehouse) as conn:
        mark_dirty(conn, factory.tenant, MART, [UNDATED], reason="x")
        assert due_undated(conn, NOW) == (MART,)
        assert due_dates(conn, NOW) == ()
