"""SQL about users."""

from typing import Final

_USER: Final = """
    u.id, u.tenant_id, u.email, u.username, u.display_name, u.roles, u.permissions, u.line_access, u.locale, u.status,
    u.failed_logins, u.locked_until, u.last_login_at, u.created_at, u.password_hash, u.token_epoch,
    t.slug as tenant_slug, t.status = 'active' as tenant_active
"""
_FROM: Final = " from core.users u join core.tenants t on t.id = u.tenant_id "

FIND_FOR_LOGIN: Final = (
    "select"
    + _USER
    + _FROM
    + "where t.slug = %(slug)s and (u.email = %(name)s or u.username = %(name)s) for no key update of u"
)
GET: Final = "select" + _USER + _FROM + "where u.tenant_id = %(tenant_id)s and u.id = %(id)s"
GET_LOCKED: Final = GET + " for no key update of u"
FIND: Final = (
    "select"
    + _USER
    + _FROM
    + "where u.tenant_id = %(tenant_id)s and (u.email = %(name)s or u.username = %(name)s or u.id::text = %(name)s)"
)
LIST: Final = "select" + _USER + _FROM + "where u.tenant_id = %(tenant_id)s order by u.email"

INSERT: Final = """
    insert into core.users (tenant_id, email, username, display_name, password_hash, roles, permissions, line_access,
        locale, status, created_at, updated_at)
    values (%(tenant_id)s, %(email)s, %(username)s, %(display_name)s, %(password_hash)s, %(roles)s, %(permissions)s,
        %(line_access)s, %(locale)s, %(status)s, %(now)s, %(now)s)
    on conflict do nothing
    returning id
"""
COUNT_ATTEMPT: Final = """
    update core.users set failed_logins = failed_logins + 1, locked_until = %(locked_until)s
    where tenant_id = %(tenant_id)s and id = %(id)s
"""
LOGGED_IN: Final = """
    update core.users set failed_logins = 0, locked_until = null, last_login_at = %(now)s,
        password_hash = coalesce(%(new_hash)s, password_hash)
    where tenant_id = %(tenant_id)s and id = %(id)s and status = 'active'
        and password_hash is not distinct from %(checked_hash)s
"""
SET_PASSWORD: Final = """
    update core.users set password_hash = %(password_hash)s, failed_logins = 0, locked_until = null,
        status = case when status = 'invited' then 'active' else status end,
        token_epoch = token_epoch + 1, updated_at = %(now)s
    where tenant_id = %(tenant_id)s and id = %(id)s
"""
SET_STATUS: Final = """
    update core.users set status = %(status)s, failed_logins = 0, locked_until = null, token_epoch = token_epoch + 1,
        updated_at = %(now)s
    where tenant_id = %(tenant_id)s and id = %(id)s
"""
SET_RIGHTS: Final = """
    update core.users set roles = %(roles)s, permissions = %(permissions)s, line_access = %(line_access)s,
        token_epoch = token_epoch + 1, updated_at = %(now)s
    where tenant_id = %(tenant_id)s and id = %(id)s
"""
RAISE_EPOCH: Final = """
    update core.users set token_epoch = token_epoch + 1 where tenant_id = %(tenant_id)s and id = %(id)s
"""
# Two changes at once, each leaving the other's administrator as the last one, wait for one another here.
LOCK_TENANT: Final = "select id from core.tenants where id = %(tenant_id)s for no key update"
OTHER_ADMINS: Final = """
    select count(*) from core.users
    where tenant_id = %(tenant_id)s and id <> %(id)s and status = 'active' and 'admin' = any(roles)
"""
STATE: Final = """
    select u.token_epoch, u.status = 'active' and t.status = 'active' as active
    from core.users u join core.tenants t on t.id = u.tenant_id
    where u.tenant_id = %(tenant_id)s and u.id = %(id)s
"""

CROSS_TENANT: Final = ("FIND_FOR_LOGIN",)
"""A name is looked up together with the slug of a tenant."""
