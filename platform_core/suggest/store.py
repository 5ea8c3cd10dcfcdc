"""SQL of suggestions."""

from typing import Final
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from platform_core.suggest.contracts import MeasuredCycle

# Short runs say little about what can be kept up. Rounded to the millisecond, as a person would write it.
# Served by the unique index of stg_work_order on (tenant_id, date, ...).
MEASURED_CYCLES: Final = """
with run as (
    select
        work_order.line_code,
        work_order.product_code,
        work_order.date,
        work_order.total_qty,
        work_order.runtime_minutes * 60 / work_order.total_qty as cycle_sec
    from staging.stg_work_order as work_order
    where work_order.tenant_id = %(tenant)s
        and work_order.date > (
            select max(newest.date) from staging.stg_work_order as newest where newest.tenant_id = %(tenant)s
        ) - %(days)s::integer
        and work_order.total_qty > 0
        and work_order.runtime_minutes >= %(min_minutes)s
),
measured as (
    select
        run.line_code,
        run.product_code,
        count(*) as work_orders,
        sum(run.total_qty) as pieces,
        min(run.date) as first_date,
        max(run.date) as last_date,
        round(percentile_cont(0.1) within group (order by run.cycle_sec)::numeric, 3) as best_cycle_sec,
        round(percentile_cont(0.5) within group (order by run.cycle_sec)::numeric, 3) as median_cycle_sec
    from run
    group by run.line_code, run.product_code
)
select
    measured.line_code,
    measured.product_code,
    measured.work_orders,
    measured.pieces,
    measured.first_date,
    measured.last_date,
    measured.best_cycle_sec,
    measured.median_cycle_sec,
    coalesce(cycle.ideal_cycle_sec, product.target_cycle_time_sec) as current_cycle_sec,
    nullif(cycle.valid_from, date '1970-01-01') as valid_from
from measured
left join lateral (
    select cycle_time.ideal_cycle_sec, cycle_time.valid_from
    from bi.dim_cycle_time as cycle_time
    where cycle_time.tenant_id = %(tenant)s
        and cycle_time.line_code = measured.line_code
        and cycle_time.product_code = measured.product_code
        and cycle_time.valid_from <= measured.last_date
    order by cycle_time.valid_from desc
    limit 1
) as cycle on true
left join bi.dim_product as product
    on product.tenant_id = %(tenant)s and product.product_code = measured.product_code
order by measured.line_code, measured.product_code
"""


def measured_cycles(
    conn: psycopg.Connection, tenant_id: UUID, *, days: int, min_minutes: int
) -> tuple[MeasuredCycle, ...]:
    """What each line needed for a piece of each product, over the `days` up to the tenant's newest production date."""
    cursor = conn.cursor(row_factory=class_row(MeasuredCycle))
    values = {"tenant": tenant_id, "days": days, "min_minutes": min_minutes}
    return tuple(cursor.execute(MEASURED_CYCLES, values).fetchall())
