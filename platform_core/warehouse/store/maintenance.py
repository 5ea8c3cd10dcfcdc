"""SQL of upkeep: left-over candidates and old check results."""

import psycopg
from psycopg import sql

from platform_core.warehouse.store.partitions import identifier

SCRATCH_TABLES = """
select 'scratch.' || relname from pg_class where relnamespace = to_regnamespace('scratch') and relkind = 'r'
"""
# A candidate in use is locked by the session of its run; one that can be locked belongs to nobody any more.
TRY_LOCK = "select pg_try_advisory_xact_lock(hashtext('takt.scratch'), hashtext(%(name)s))"
DROP = "drop table if exists {table}"
OLD_RESULTS = """
delete from bi.data_quality_checks where executed_at < clock_timestamp() - make_interval(days => %(days)s)
"""


def leftovers(conn: psycopg.Connection) -> tuple[str, ...]:
    """Tables in scratch, in use or not."""
    return tuple(name for (name,) in conn.execute(SCRATCH_TABLES))


def sweep(conn: psycopg.Connection, table: str) -> bool:
    """Drop a candidate unless a run holds it; in the caller's transaction."""
    row = conn.execute(TRY_LOCK, {"name": table.partition(".")[2]}).fetchone()
    if not row or not row[0]:
        return False
    conn.execute(sql.SQL(DROP).format(table=identifier(table)))
    return True


def remove_old_results(conn: psycopg.Connection, days: int) -> int:
    """Delete check results older than that; returns how many."""
    return conn.execute(OLD_RESULTS, {"days": days}).rowcount
