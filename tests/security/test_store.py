"""Every statement about identity names its tenant, but those that find it; and the API's role reads none of it."""

import re

import psycopg
import pytest

from platform_core.security.store import machines, providers, sessions, users
from platform_core.warehouse.connection import Role, transaction
from tests.security.conftest import Place

MODULES = [users, sessions, machines, providers]
TABLES = {
    "users",
    "api_key",
    "oauth_client",
    "authorization_code",
    "refresh_token",
    "mailed_link",
    "identity_provider",
    "user_identity",
    "oidc_login",
}


def _without_tenant(statement: str) -> bool:
    """Whether a statement neither compares with the tenant nor inserts a row that has one."""
    inserts = statement.lstrip().startswith("insert") and "%(tenant_id)s" in statement
    condition = statement.partition("where ")[2]
    return not inserts and not re.search(r"tenant_id = %\(tenant_id\)s|\bid = %\(tenant_id\)s", condition)


@pytest.mark.parametrize("module", MODULES)
def test_a_statement_without_a_tenant_is_one_of_those_that_find_it(module) -> None:
    found = {
        name
        for name, value in vars(module).items()
        if name.isupper() and not name.startswith("_") and name != "CROSS_TENANT"
        for statement in (value if isinstance(value, tuple) else (value,))
        if _without_tenant(statement)
    }
    assert found == set(module.CROSS_TENANT)


def test_the_rule_bites() -> None:
    assert _without_tenant("select id from core.users where id = %(id)s")
    assert _without_tenant("update core.users set tenant_id = %(tenant_id)s where id = %(id)s")
    assert not _without_tenant("delete from core.users where tenant_id = %(tenant_id)s and id = %(id)s")


def test_the_api_role_reads_no_row_of_identity_not_even_its_own_tenants(place: Place) -> None:
    place.user("kim")
    place.login()
    with transaction(place.warehouse) as conn:
        found = conn.execute(
            "select relname from pg_class where relnamespace = 'core'::regnamespace and relrowsecurity"
            " and relname = any(%s)",
            (list(TABLES),),
        ).fetchall()
    assert {name for (name,) in found} == TABLES
    for table in sorted(TABLES):
        with (
            pytest.raises(psycopg.errors.InsufficientPrivilege),
            transaction(place.warehouse, role=Role.API, tenant=place.tenant.id) as conn,
        ):
            conn.execute(f"select count(*) from core.{table}")  # type: ignore[arg-type]


def test_a_grant_of_tomorrow_would_open_a_tenants_own_rows_only(place: Place) -> None:
    place.user("kim")
    place.user("lee", tenant=place.other)
    with transaction(place.warehouse) as conn:
        conn.execute("grant select on core.users to takt_api")
    with transaction(place.warehouse, role=Role.API, tenant=place.tenant.id) as conn:
        assert conn.execute("select username from core.users").fetchall() == [("kim",)]


def test_a_row_of_one_tenant_cannot_point_to_another_tenants_user(place: Place) -> None:
    foreign = place.user("lee", tenant=place.other)
    with pytest.raises(psycopg.errors.ForeignKeyViolation), transaction(place.warehouse) as conn:
        conn.execute(
            "insert into core.api_key (tenant_id, owner_id, name, prefix, secret_hash, scopes)"
            " values (%s, %s, 'x', 'x', 'x', '{}')",
            (place.tenant.id, foreign.id),
        )
