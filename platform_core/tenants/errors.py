"""What can be wrong about a tenant.

TenantError
├── TenantNotFoundError    no tenant has that slug
└── TenantInvalidError     its slug or time zone cannot be used
"""

from dbt_like_sql.errors import TaktError


class TenantError(TaktError):
    """Something about a tenant."""

    code = "ERR_TENANT"
    http_status = 400


class TenantNotFoundError(TenantError):
    """No tenant has that slug."""

    code = "ERR_TENANT_NOT_FOUND"
    http_status = 404


class TenantInvalidError(TenantError):
    """A slug or time zone that cannot be used."""

    code = "ERR_TENANT_INVALID"
    http_status = 422
