"""SQL that `takt doctor` asks an installation with."""

from typing import Final

CLOCK: Final = "select clock_timestamp()"
# A server's start to the microsecond and its port tell it from others.
LOGIN: Final = "select current_user, current_database(), (pg_postmaster_start_time(), inet_server_port())::text"
VERSION: Final = "select current_setting('server_version'), current_setting('server_version_num')::integer"
ENCODING: Final = "select current_setting('server_encoding')"
ROLES: Final = """
    select rolname, rolsuper or rolbypassrls as unbound
    from pg_roles where rolname in ('takt_owner', 'takt_api')
"""
OWNED_BY_API: Final = "select count(*) from pg_class where relowner = 'takt_api'::regrole"
MISSING_RELATIONS: Final = (
    "select name from unnest(%(names)s::text[]) as name where to_regclass(name) is null order by 1"
)
DAGSTER_TABLES: Final = "select to_regclass('public.runs') is not null"
