"""Tenants are made once, found by slug, and never lead out of their folder."""

import pytest

from platform_core.settings import Settings
from platform_core.tenants.contracts import Tenant
from platform_core.tenants.errors import TenantInvalidError, TenantNotFoundError
from platform_core.tenants.service import create_tenant, get_tenant, list_tenants, tenant_home
from platform_core.warehouse.connection import Warehouse, transaction


def test_a_tenant_that_exists_is_returned_as_it_is(warehouse: Warehouse, tenant: Tenant) -> None:
    with transaction(warehouse) as connection:
        again = create_tenant(connection, tenant.slug, "Another name", "Europe/Berlin")
    assert again == tenant


def test_tenants_are_listed_by_slug(warehouse: Warehouse, tenant: Tenant, other_tenant: Tenant) -> None:
    with transaction(warehouse) as connection:
        assert list_tenants(connection) == (tenant, other_tenant)
        assert get_tenant(connection, "other") == other_tenant


def test_an_unknown_tenant_is_told_which_there_are(warehouse: Warehouse, tenant: Tenant) -> None:
    with transaction(warehouse) as connection, pytest.raises(TenantNotFoundError) as caught:
        get_tenant(connection, "nobody")
    assert caught.value.hint == f"Tenants: {tenant.slug}."


@pytest.mark.parametrize("slug", ["", "../x", "A", "공장", "-a", "a" * 64, "a/b", "a\n"])
def test_a_slug_that_is_no_folder_name_is_refused(warehouse: Warehouse, settings: Settings, slug: str) -> None:
    with transaction(warehouse) as connection, pytest.raises(TenantInvalidError):
        create_tenant(connection, slug)
    with pytest.raises(TenantInvalidError):
        tenant_home(settings, slug)


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "../etc/passwd", "KST+9:00:00:00"])
def test_a_time_zone_that_nobody_knows_is_refused(warehouse: Warehouse, zone: str) -> None:
    with transaction(warehouse) as connection, pytest.raises(TenantInvalidError):
        create_tenant(connection, "plant", timezone=zone)
