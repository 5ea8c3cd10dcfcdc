"""SQL about API keys and OAuth clients."""

from typing import Final

INSERT_KEY: Final = """
    insert into core.api_key (tenant_id, owner_id, name, prefix, secret_hash, scopes, line_access, created_by,
        created_at, expires_at)
    values (%(tenant_id)s, %(owner_id)s, %(name)s, %(prefix)s, %(secret_hash)s, %(scopes)s, %(line_access)s,
        %(created_by)s, %(now)s, %(expires_at)s)
    returning id, tenant_id, name, prefix, owner_id, scopes, line_access, created_at, expires_at,
        last_used_at, revoked_at
"""
LIST_KEYS: Final = """
    select id, tenant_id, name, prefix, owner_id, scopes, line_access, created_at, expires_at,
        last_used_at, revoked_at
    from core.api_key where tenant_id = %(tenant_id)s order by created_at desc, prefix
"""
REVOKE_KEY: Final = """
    update core.api_key set revoked_at = coalesce(revoked_at, %(now)s)
    where tenant_id = %(tenant_id)s and (prefix = %(name)s or id::text = %(name)s)
    returning id, tenant_id, name, prefix, owner_id, scopes, line_access, created_at, expires_at,
        last_used_at, revoked_at
"""
FIND_KEY: Final = """
    select k.id, k.tenant_id, k.name, k.owner_id, k.secret_hash, k.scopes, k.line_access, k.expires_at, k.revoked_at,
        t.slug as tenant_slug, t.status = 'active' as tenant_active,
        u.status as owner_status, u.display_name as owner_name, u.roles as owner_roles,
        u.permissions as owner_permissions, u.line_access as owner_lines, u.locale as owner_locale
    from core.api_key k
    join core.tenants t on t.id = k.tenant_id
    left join core.users u on u.tenant_id = k.tenant_id and u.id = k.owner_id
    where k.prefix = %(prefix)s
"""
# A key in steady use would otherwise write at every look.
KEY_USED: Final = """
    update core.api_key set last_used_at = %(now)s
    where tenant_id = %(tenant_id)s and id = %(id)s
        and (last_used_at is null or last_used_at < %(now)s - interval '1 minute')
"""

INSERT_CLIENT: Final = """
    insert into core.oauth_client as c (tenant_id, client_id, name, secret_hash, redirect_uris, scopes, line_access,
        created_at, expires_at)
    values (%(tenant_id)s, %(client_id)s, %(name)s, %(secret_hash)s, %(redirect_uris)s, %(scopes)s, %(line_access)s,
        %(now)s, %(expires_at)s)
    returning c.id, c.tenant_id, c.client_id, c.name, c.secret_hash is null as is_public, c.redirect_uris, c.scopes,
        c.line_access, c.created_at, c.expires_at, c.revoked_at
"""
LIST_CLIENTS: Final = """
    select c.id, c.tenant_id, c.client_id, c.name, c.secret_hash is null as is_public, c.redirect_uris, c.scopes,
        c.line_access, c.created_at, c.expires_at, c.revoked_at
    from core.oauth_client c where c.tenant_id = %(tenant_id)s order by c.created_at desc, c.client_id
"""
REVOKE_CLIENT: Final = """
    update core.oauth_client c set revoked_at = coalesce(c.revoked_at, %(now)s), token_epoch = c.token_epoch + 1
    where c.tenant_id = %(tenant_id)s and (c.client_id = %(name)s or c.id::text = %(name)s)
    returning c.id, c.tenant_id, c.client_id, c.name, c.secret_hash is null as is_public, c.redirect_uris, c.scopes,
        c.line_access, c.created_at, c.expires_at, c.revoked_at
"""
FIND_CLIENT: Final = """
    select c.id, c.tenant_id, c.client_id, c.name, c.secret_hash is null as is_public, c.redirect_uris, c.scopes,
        c.line_access, c.created_at, c.expires_at, c.revoked_at,
        c.secret_hash, c.token_epoch, t.slug as tenant_slug, t.status = 'active' as tenant_active
    from core.oauth_client c join core.tenants t on t.id = c.tenant_id where c.client_id = %(client_id)s
"""
CLIENT_STATE: Final = """
    select c.token_epoch, c.revoked_at is null and (c.expires_at is null or c.expires_at > %(now)s)
        and t.status = 'active' as active
    from core.oauth_client c join core.tenants t on t.id = c.tenant_id
    where c.tenant_id = %(tenant_id)s and c.id = %(id)s
"""

CROSS_TENANT: Final = ("FIND_KEY", "FIND_CLIENT")
"""A prefix and a client's id are unique and random; what they find is believed only with the secret or the code."""
