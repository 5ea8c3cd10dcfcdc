"""Work orders made inside PostgreSQL, so that a benchmark of what follows does not wait for landing."""

import psycopg

# Ten lines, five products, three shifts; one order in four has defects of two types and some downtime.
RAW_WORK_ORDERS = """
insert into core.erp_mes_data
select
    %(tenant_id)s, 'MES', 'work_order', 'WO-' || n, 1, d, 'L' || lpad(line::text, 2, '0'),
    jsonb_build_object(
        'work_order_id', 'WO-' || n, 'line_code', 'L' || lpad(line::text, 2, '0'),
        'product_code', 'P00' || (n / 300 %% 5 + 1), 'shift', (array['day', 'evening', 'night'])[n / 1500 %% 3 + 1],
        'operator_id', 'OP' || (n / 30 %% 40),
        'start_time', to_char(d + make_interval(mins => n %% 1400), 'YYYY-MM-DD"T"HH24:MI:SS') || '+09:00',
        'end_time', to_char(d + make_interval(mins => n %% 1400 + 30), 'YYYY-MM-DD"T"HH24:MI:SS') || '+09:00',
        'total_qty', 100, 'good_qty', 100 - n %% 4, 'defect_qty', n %% 4, 'planned_qty', 110,
        'defect_details', case n %% 4 when 0 then '[]'::jsonb else
            jsonb_build_array(jsonb_build_object('type', 'scratch', 'qty', n %% 4)) end,
        'cycle_time_avg_sec', 15 + n %% 7, 'runtime_minutes', 27, 'downtime_minutes', 3,
        'downtime_reasons', '[{"reason": "setup", "minutes": 3}]'::jsonb
    ),
    decode(md5(n::text), 'hex'), now(), %(load_id)s, n, true
from (
    select n, n / 30 %% 10 + 1 as line, %(first)s::date + (n %% %(days)s)::int as d
    from generate_series(1, %(count)s) as n
) as orders
"""

NEW_LOAD = """
insert into core.load (tenant_id, source_system, record_type, source_name, mapping_name, mapping_digest, status)
values (%(tenant_id)s, 'MES', 'work_order', 'benchmark', 'benchmark', '', 'succeeded') returning id
"""


def insert_raw_work_orders(
    conn: psycopg.Connection, *, tenant_id: object, first: object, days: int, count: int
) -> None:
    """Fill core.erp_mes_data with `count` current work orders over `days` dates; the partitions must exist."""
    row = conn.execute(NEW_LOAD, {"tenant_id": tenant_id}).fetchone()
    assert row is not None
    conn.execute(
        RAW_WORK_ORDERS,
        {"tenant_id": tenant_id, "load_id": row[0], "first": first, "days": days, "count": count},
    )
