"""SQL that prepares a server: two roles and two databases."""

from typing import Final

from psycopg.sql import SQL

SESSION_LOCK: Final = "select pg_advisory_lock(hashtextextended('takt.roles', 0))"

ADMIN: Final = """
    select current_user as name, rolsuper as superuser, rolcreaterole as makes_roles, rolcreatedb as makes_databases,
        current_setting('server_version_num')::integer as version
    from pg_roles where rolname = current_user
"""
ROLE_EXISTS: Final = "select exists (select from pg_roles where rolname = %(name)s)"
DATABASE_EXISTS: Final = "select exists (select from pg_database where datname = %(name)s)"
DATABASE_OWNER: Final = "select pg_get_userbyid(datdba) from pg_database where datname = %(name)s"
MAY_BECOME: Final = "select pg_has_role(current_user, %(name)s, 'set')"

ONE_ITERATION: Final = "set scram_iterations = 1"
CREATE_ROLE: Final = SQL("create role {name} login nosuperuser nocreatedb nocreaterole nobypassrls password {password}")
# The owner makes the logins of BI tools: members of takt_api, which it may neither become nor inherit from itself.
MAKES_LOGINS: Final = SQL("alter role {owner} createrole")
GIVES_ROLE: Final = SQL("grant {api} to {owner} with admin true, inherit false, set false")
GRANT_ROLE: Final = SQL("grant {name} to current_user with set true, inherit true")
REVOKE_ROLE: Final = SQL("revoke set option for {name} from current_user")
CREATE_DATABASE: Final = SQL(
    "create database {name} owner {owner} template template0 encoding 'UTF8' locale_provider builtin"
    " builtin_locale 'C.UTF-8'"
)
CREATE_DATABASE_16: Final = SQL("create database {name} owner {owner} template template0 encoding 'UTF8' locale 'C'")
CLOSE_DATABASE: Final = SQL("revoke all on database {name} from public")
OPEN_DATABASE: Final = SQL("grant connect on database {name} to {role}")
DATABASE_TIMEZONE: Final = SQL("alter database {name} set timezone to 'UTC'")
