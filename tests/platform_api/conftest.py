"""The application on the test's database, with people of every role."""

from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from platform_api.main import create_app
from platform_core.security.context import Security, open_security
from platform_core.security.contracts import NewApiKey
from platform_core.security.permissions import Permission, Role, permissions_of
from platform_core.security.service.machines import create_api_key
from platform_core.settings import Settings
from platform_core.tenants.contracts import Tenant
from platform_core.warehouse.connection import Warehouse
from tests.platform_api.client import ask


@dataclass
class Api:
    """Asks the application as somebody of a role, by an API key that may what the role may."""

    app: FastAPI
    security: Security
    tenant: Tenant
    other: Tenant
    warehouse: Warehouse
    _keys: dict[tuple[object, ...], str] = field(default_factory=dict[tuple[object, ...], str])

    def key(
        self, scopes: frozenset[Permission], tenant: Tenant | None = None, lines: tuple[str, ...] | None = None
    ) -> str:
        """A key with these permissions."""
        where = tenant or self.tenant
        known = (where.id, scopes, lines)
        if known not in self._keys:
            new = NewApiKey(f"key {len(self._keys)}", scopes, line_access=lines)
            self._keys[known] = create_api_key(self.security, where.id, new)[1].value
        return self._keys[known]

    def ask(
        self,
        method: str,
        path: str,
        role: Role | None = Role.VIEWER,
        *,
        tenant: Tenant | None = None,
        lines: tuple[str, ...] | None = None,
        **request: Any,
    ) -> httpx.Response:
        """One request; None asks without a credential."""
        headers = dict(request.pop("headers", {}))
        if role is not None:
            headers["Authorization"] = f"Bearer {self.key(permissions_of(role), tenant, lines)}"
        return ask(self.app, method, path, headers=headers, **request)


@pytest.fixture
def api(warehouse: Warehouse, settings: Settings, tenant: Tenant, other_tenant: Tenant) -> Api:
    return Api(create_app(settings), open_security(settings, warehouse), tenant, other_tenant, warehouse)
