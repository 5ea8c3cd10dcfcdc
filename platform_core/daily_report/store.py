"""SQL of the daily report: reader views only, as the API role with the tenant set on the session."""

from datetime import date
from typing import Any

import psycopg
from psycopg.rows import dict_row

# Served by the unique index of mv_line_performance (tenant_id, date, line_code).
LINES = """
select
    line.line_code, line.line_name, line.oee_capped as oee, line.availability, line.performance_capped as performance,
    line.quality, line.main_loss, line.availability_loss_minutes, line.performance_loss_minutes,
    line.quality_loss_minutes, line.setup_time_minutes, line.breakdown_minutes, line.defect_qty,
    (
        select shift.shift
        from bi.v_mv_oee_daily as shift
        where shift.date = line.date and shift.line_code = line.line_code
        order by shift.oee, shift.shift
        limit 1
    ) as worst_shift
from bi.v_mv_line_performance as line
where line.date = %(date)s
order by line.oee_capped nulls last, line.line_code
"""

TOP_DEFECTS = """
select distinct on (defect.line_code) defect.line_code, defect.defect_type, sum(defect.defect_qty) as quantity
from bi.v_fact_daily_defect as defect
where defect.date = %(date)s
group by defect.line_code, defect.defect_type
order by defect.line_code, quantity desc, defect.defect_type
"""

# Served by rejected_record (tenant_id, status, created_at desc).
REJECTS = """
select distinct on (reject.reason_code)
    reject.reason_code, count(*) over (partition by reject.reason_code) as rows, reject.message as example_message,
    reject.source_name as example_source, reject.source_row as example_row
from core.rejected_record as reject
where reject.status = 'open'
order by reject.reason_code, reject.created_at desc, reject.source_row desc
"""

NEWEST_DATE = "select max(line.date) from bi.v_mv_line_performance as line"


def lines(conn: psycopg.Connection, day: date) -> list[dict[str, Any]]:
    """One row for each line with production on `day`, worst OEE first."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(LINES, {"date": day}).fetchall()


def top_defects(conn: psycopg.Connection, day: date) -> dict[str, tuple[str, Any]]:
    """The most frequent defect type of each line on `day`, with its quantity."""
    return {line: (kind, quantity) for line, kind, quantity in conn.execute(TOP_DEFECTS, {"date": day})}


def rejects(conn: psycopg.Connection) -> list[dict[str, Any]]:
    """Open rejects by reason, with the newest of each."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(REJECTS).fetchall()


def newest_date(conn: psycopg.Connection) -> date | None:
    """The newest production date that the tenant's mart holds."""
    row = conn.execute(NEWEST_DATE).fetchone()
    return row[0] if row else None
