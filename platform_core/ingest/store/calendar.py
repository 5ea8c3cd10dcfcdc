"""SQL that reads what dates depend on: a tenant's zone, lines, shifts and machines, and the archived dates."""

from collections.abc import Iterable
from datetime import date, time
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg

from platform_core.ingest.production_date import Calendar, Line, Shift

ZONE: Final = "select coalesce(settings ->> 'timezone', 'Asia/Seoul') from core.tenants where id = %(tenant)s"
LINES: Final = """
select raw_data ->> 'line_code', raw_data ->> 'plant_code', raw_data ->> 'timezone'
from core.master_record
where tenant_id = %(tenant)s and record_type = 'line'
"""
SHIFTS: Final = """
select
    raw_data ->> 'shift_code',
    (raw_data ->> 'start_time')::time,
    (raw_data ->> 'end_time')::time,
    raw_data ->> 'plant_code',
    (raw_data ->> 'valid_from')::date
from core.master_record
where tenant_id = %(tenant)s and record_type = 'shift'
"""
EQUIPMENT: Final = """
select raw_data ->> 'equipment_code', raw_data ->> 'line_code'
from core.master_record
where tenant_id = %(tenant)s and record_type = 'equipment'
"""
FINGERPRINT: Final = """
select md5(
    coalesce((select settings ->> 'timezone' from core.tenants where id = %(tenant)s), '')
    || coalesce(string_agg(encode(content_hash, 'hex'), ',' order by record_type, source_pk), '')
)
from core.master_record
where tenant_id = %(tenant)s and record_type in ('line', 'shift', 'equipment')
"""


def load(conn: psycopg.Connection, tenant: UUID) -> Calendar | None:
    """The tenant's calendar; None when there is no such tenant."""
    values = {"tenant": tenant}
    zone = conn.execute(ZONE, values).fetchone()
    if zone is None:
        return None
    lines: Iterable[tuple[str, str | None, str | None]] = conn.execute(LINES, values)
    shifts: Iterable[tuple[str, time, time, str | None, date | None]] = conn.execute(SHIFTS, values)
    return Calendar(
        ZoneInfo(zone[0]),
        lines={code: Line(plant, ZoneInfo(name) if name else None) for code, plant, name in lines},
        shifts=[Shift(code, start, end, plant, since or date.min) for code, start, end, plant, since in shifts],
        equipment_lines=dict(conn.execute(EQUIPMENT, values).fetchall()),
    )


def fingerprint(conn: psycopg.Connection, tenant: UUID) -> str:
    """Changes whenever something that dates depend on does."""
    row = conn.execute(FINGERPRINT, {"tenant": tenant}).fetchone()
    return str(row[0]) if row else ""
