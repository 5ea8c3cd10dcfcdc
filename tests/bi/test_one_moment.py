"""While dates are replaced, an answer is of one moment: what it counts is what the version that it names holds."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from threading import Event

from platform_core.warehouse.connection import transaction
from tests.bi.plant import PRODUCTION, BiPlant, made

DAY = date(2026, 5, 20)


def _replace(plant: BiPlant, rows: int) -> None:
    """Publish a date anew, with so many rows, as publication does: rows and state in one transaction."""
    with transaction(plant.warehouse) as conn:
        conn.execute("delete from bi.fact_daily_production where tenant_id = %s", [plant.tenant.id])
        for number in range(rows):
            row = made(DAY, f"L{number}", "P1", "day")
            conn.execute(
                "insert into bi.fact_daily_production (tenant_id, date, line_code, product_code, shift, total_qty, "
                "good_qty, defect_qty, work_order_count) values (%s, %s, %s, 'P1', 'day', 1, 1, 0, 1)",
                [plant.tenant.id, DAY, row["line_code"]],
            )
        conn.execute(
            "update core.partition_state set rows = %s, version = version + 1 where tenant_id = %s and model = %s",
            [rows, plant.tenant.id, PRODUCTION],
        )


def test_an_answer_counts_the_rows_of_the_version_that_it_names(plant: BiPlant) -> None:
    plant.put(PRODUCTION, [made(DAY, "L1", "P1", "day")])
    plant.publish(DAY, DAY)
    _replace(plant, 1)
    over = Event()

    def publish() -> int:
        turns = 0
        while not over.is_set():
            turns += 1
            _replace(plant, turns % 7 + 1)
        return turns

    def read() -> set[int]:
        seen: set[int] = set()
        for _ in range(40):
            found = plant.ask("work_order_count", "product_count", time=(DAY, DAY), dimensions=["product"])
            assert found.trust.versions[0].model == PRODUCTION
            assert found.rows[0][1] == found.trust.versions[0].rows
            seen.add(found.trust.versions[0].rows)
        return seen

    with ThreadPoolExecutor(4) as pool:
        publishing = pool.submit(publish)
        try:
            seen = set[int]().union(*(reading.result() for reading in [pool.submit(read) for _ in range(3)]))
        finally:
            over.set()
        assert publishing.result() > 1
    assert len(seen) > 1, "nothing was replaced while it was read"
