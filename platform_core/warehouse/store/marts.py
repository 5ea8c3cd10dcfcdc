"""SQL that refreshes materialized views."""

from collections.abc import Mapping
from uuid import UUID

import psycopg
from psycopg import sql

from platform_core.warehouse.store.partitions import identifier

POPULATED = "select relispopulated from pg_class where oid = to_regclass(%(relation)s)"
SESSION = "select set_config('work_mem', '128MB', false), set_config('temp_buffers', '64MB', false)"
REFRESH = "refresh materialized view {name}"
# Readers go on; served by the unique index on the grain. Refused inside a transaction, and when never filled.
REFRESH_CONCURRENTLY = "refresh materialized view concurrently {name}"
COUNTS = "select tenant_id, count(*) from {name} group by tenant_id"


def refresh(conn: psycopg.Connection, relation: str) -> None:
    """Refresh a materialized view without stopping its readers, unless it was never filled; `conn` is in autocommit."""
    row = conn.execute(POPULATED, {"relation": relation}).fetchone()
    statement = REFRESH_CONCURRENTLY if row and row[0] else REFRESH
    conn.execute(SESSION)
    conn.execute(sql.SQL(statement).format(name=identifier(relation)))


def counts(conn: psycopg.Connection, relation: str) -> Mapping[UUID, int]:
    """Rows of each tenant."""
    return dict(conn.execute(sql.SQL(COUNTS).format(name=identifier(relation))).fetchall())
