"""One day of 100,000 work orders: ours, row by row through an ORM, and the best statement written by hand."""

from collections.abc import Callable
from datetime import date

import psycopg
from sqlalchemy import Date, Numeric, String, create_engine, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from benchmarks.common import Bench, Result, bench_warehouse, days, median_seconds, seconds
from benchmarks.data import insert_raw_work_orders
from platform_core.clock import utc_now
from platform_core.warehouse.connection import transaction
from platform_core.warehouse.maintenance import ensure_partitions
from platform_core.warehouse.publish import materialize

ORDERS = 100_000
ROW_BY_ROW_SAMPLE = 2_000
STAGING, FACT = "staging.stg_work_order", "bi.fact_daily_production"

RAW_OF_DAY = """
select raw_data from core.erp_mes_data
where record_type = 'work_order' and is_current and business_date = :day order by source_row limit :count
"""

# What an engineer writes who needs no audit, no lock and no other tenant: the same columns, from typed staging.
BY_HAND = """
create unlogged table bench_by_hand as
select
    tenant_id, date, line_code, product_code, coalesce(shift, 'unknown') as shift,
    sum(total_qty) as total_qty, sum(good_qty) as good_qty, sum(defect_qty) as defect_qty,
    sum(rework_qty) as rework_qty, sum(scrap_qty) as scrap_qty, sum(planned_qty) as planned_qty,
    avg(cycle_time_avg_sec) as cycle_time_avg, stddev_samp(cycle_time_avg_sec) as cycle_time_std,
    sum(runtime_minutes) as runtime_minutes, sum(downtime_minutes) as downtime_minutes,
    sum(setup_minutes) as setup_time_minutes, count(*) as work_order_count,
    count(distinct operator_id) as operator_count
from staging.stg_work_order
where date = %(day)s
group by tenant_id, date, line_code, product_code, coalesce(shift, 'unknown')
"""
BY_HAND_INSERT = """
insert into bench_fact select * from bench_by_hand
"""
BY_HAND_TABLE = """
create table bench_fact (
    tenant_id uuid, date date, line_code text, product_code text, shift text, total_qty numeric, good_qty numeric,
    defect_qty numeric, rework_qty numeric, scrap_qty numeric, planned_qty numeric, cycle_time_avg numeric,
    cycle_time_std numeric, runtime_minutes numeric, downtime_minutes numeric, setup_time_minutes numeric,
    work_order_count bigint, operator_count bigint, primary key (tenant_id, date, line_code, product_code, shift)
)
"""


class _Base(DeclarativeBase):
    pass


class _FactRow(_Base):
    """The fact as an ORM class, as the row-by-row ETL keeps it."""

    __tablename__ = "bench_row_by_row"
    tenant_id: Mapped[str] = mapped_column(String, primary_key=True)
    day: Mapped[date] = mapped_column("date", Date, primary_key=True)
    line_code: Mapped[str] = mapped_column(String, primary_key=True)
    product_code: Mapped[str] = mapped_column(String, primary_key=True)
    shift: Mapped[str] = mapped_column(String, primary_key=True)
    work_order_id: Mapped[str] = mapped_column(String, primary_key=True)
    total_qty: Mapped[float] = mapped_column(Numeric)
    good_qty: Mapped[float] = mapped_column(Numeric)
    defect_qty: Mapped[float] = mapped_column(Numeric)
    runtime_minutes: Mapped[float] = mapped_column(Numeric)
    downtime_minutes: Mapped[float] = mapped_column(Numeric)


def run() -> list[Result]:
    """Both rows of the table: against the ORM, and against the best statement."""
    with bench_warehouse() as bench:
        day = days(1)[0]
        with transaction(bench.warehouse) as conn:
            ensure_partitions(conn, "core.erp_mes_data", day, day)
            insert_raw_work_orders(conn, tenant_id=bench.tenant_id, first=day, days=1, count=ORDERS)
            conn.execute("analyze core.erp_mes_data")
        _materializer(bench, STAGING, day)()
        _materializer(bench, FACT, day)()
        whole = median_seconds(
            lambda: (_materializer(bench, STAGING, day)(), _materializer(bench, FACT, day)()), times=5
        )
        fact = median_seconds(_materializer(bench, FACT, day), times=5)
        by_hand = _by_hand_seconds(bench, day)
        row_by_row = _row_by_row_rate(bench, day)
    return [
        Result(
            name="raw to fact, one day of 100,000 work orders",
            reference=row_by_row,
            ours=ORDERS / whole,
            unit="rows/s",
            ratio=ORDERS / whole / row_by_row,
            target=">= 300 times the ORM's merge per row",
            met=ORDERS / whole / row_by_row >= 300,
        ),
        Result(
            name="staging to fact, the same day, audit and publication included",
            reference=by_hand,
            ours=fact,
            unit="s",
            ratio=fact / by_hand,
            target="<= 1.3 times the best statement by hand",
            met=fact / by_hand <= 1.3,
        ),
    ]


def _materializer(bench: Bench, relation: str, day: date) -> Callable[[], object]:
    return lambda: materialize(bench.warehouse, bench.project, relation, [day], now=utc_now(), run_id="benchmark")


def _by_hand_seconds(bench: Bench, day: date) -> float:
    with psycopg.connect(bench.warehouse.owner_url, autocommit=True) as conn:
        conn.execute(
            "set parallel_setup_cost = 100; set parallel_tuple_cost = 0.001; set min_parallel_table_scan_size = 0"
        )
        conn.execute("create schema bench; set search_path = bench")
        conn.execute(BY_HAND_TABLE)

        def once() -> None:
            with conn.transaction():
                psycopg.ClientCursor(conn).execute(BY_HAND, {"day": day})
                conn.execute(BY_HAND_INSERT)

        def clean() -> None:
            conn.execute("drop table if exists bench_by_hand; truncate bench_fact")

        return median_seconds(once, times=5, before=clean)


def _row_by_row_rate(bench: Bench, day: date) -> float:
    """Rows per second of a query, a Python loop and session.merge for each row."""
    engine = create_engine(bench.warehouse.owner_url.replace("postgresql://", "postgresql+psycopg://", 1))
    _Base.metadata.create_all(engine)

    def work() -> None:
        with Session(engine) as session:
            for (payload,) in session.execute(text(RAW_OF_DAY), {"day": day, "count": ROW_BY_ROW_SAMPLE}):
                session.merge(_as_row(bench, day, payload))
            session.commit()

    elapsed = seconds(work)
    engine.dispose()
    return ROW_BY_ROW_SAMPLE / elapsed


def _as_row(bench: Bench, day: date, payload: dict[str, object]) -> _FactRow:
    taken = {name: payload[name] for name in _FactRow.__table__.columns.keys() if name in payload}  # noqa: SIM118
    return _FactRow(tenant_id=str(bench.tenant_id), day=day, **taken)
