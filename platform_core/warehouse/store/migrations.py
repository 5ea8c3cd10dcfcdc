"""SQL around the migrations; what they do themselves is in warehouse/migrations/versions/*.sql."""

from typing import Final

LOCK: Final = "select pg_advisory_lock(hashtextextended('takt.migrations', 0))"
TABLE_EXISTS: Final = "select to_regclass('public.takt_revision') is not null"
CURRENT: Final = "select version_num from public.takt_revision"
