"""SQL about providers of sign-in, identities at them, and sign-ins under way."""

from typing import Final

INSERT: Final = """
    insert into core.identity_provider (tenant_id, name, display_name, issuer, client_id, scopes, groups_claim,
        group_roles, default_roles, link_by_email, created_at, updated_at)
    values (%(tenant_id)s, %(name)s, %(display_name)s, %(issuer)s, %(client_id)s, %(scopes)s, %(groups_claim)s,
        %(group_roles)s, %(default_roles)s, %(link_by_email)s, %(now)s, %(now)s)
    on conflict (tenant_id, name) do update set display_name = excluded.display_name, issuer = excluded.issuer,
        client_id = excluded.client_id, scopes = excluded.scopes, groups_claim = excluded.groups_claim,
        group_roles = excluded.group_roles, default_roles = excluded.default_roles,
        link_by_email = excluded.link_by_email, is_enabled = true, updated_at = excluded.updated_at
"""
# Subjects are unique within an issuer only.
FORGET_IDENTITIES: Final = """
    delete from core.user_identity i using core.identity_provider p
    where i.tenant_id = %(tenant_id)s and p.tenant_id = %(tenant_id)s and i.provider_id = p.id
        and p.name = %(name)s and p.issuer <> %(issuer)s
"""
GET: Final = """
    select p.id, p.tenant_id, p.name, p.display_name, p.issuer, p.client_id, p.scopes, p.groups_claim, p.group_roles,
        p.default_roles, p.link_by_email, p.is_enabled, t.slug as tenant_slug, t.status = 'active' as tenant_active
    from core.identity_provider p join core.tenants t on t.id = p.tenant_id
    where p.tenant_id = %(tenant_id)s and p.id = %(id)s
"""
FIND: Final = """
    select p.id, p.tenant_id, p.name, p.display_name, p.issuer, p.client_id, p.scopes, p.groups_claim, p.group_roles,
        p.default_roles, p.link_by_email, p.is_enabled, t.slug as tenant_slug, t.status = 'active' as tenant_active
    from core.identity_provider p join core.tenants t on t.id = p.tenant_id
    where t.slug = %(slug)s and p.name = %(name)s
"""
LIST: Final = """
    select p.id, p.tenant_id, p.name, p.display_name, p.issuer, p.client_id, p.scopes, p.groups_claim, p.group_roles,
        p.default_roles, p.link_by_email, p.is_enabled, t.slug as tenant_slug, t.status = 'active' as tenant_active
    from core.identity_provider p join core.tenants t on t.id = p.tenant_id
    where t.slug = %(slug)s order by p.name
"""
DISABLE: Final = """
    update core.identity_provider set is_enabled = false, updated_at = %(now)s
    where tenant_id = %(tenant_id)s and name = %(name)s
"""

BEGIN: Final = """
    insert into core.oidc_login (state_hash, tenant_id, provider_id, nonce, code_verifier, redirect_uri, created_at,
        expires_at)
    values (%(state_hash)s, %(tenant_id)s, %(provider_id)s, %(nonce)s, %(code_verifier)s, %(redirect_uri)s, %(now)s,
        %(expires_at)s)
"""
TAKE: Final = """
    delete from core.oidc_login where state_hash = %(state_hash)s
    returning tenant_id, provider_id, nonce, code_verifier, redirect_uri, expires_at
"""

IDENTITY: Final = """
    select user_id from core.user_identity
    where tenant_id = %(tenant_id)s and provider_id = %(provider_id)s and subject = %(subject)s
"""
ADD_IDENTITY: Final = """
    insert into core.user_identity (tenant_id, provider_id, subject, user_id, created_at)
    values (%(tenant_id)s, %(provider_id)s, %(subject)s, %(user_id)s, %(now)s)
"""
SEEN: Final = """
    update core.user_identity set last_login_at = %(now)s
    where tenant_id = %(tenant_id)s and provider_id = %(provider_id)s and subject = %(subject)s
"""
SIGNED_IN: Final = """
    update core.users set roles = %(roles)s, last_login_at = %(now)s, failed_logins = 0, locked_until = null,
        status = 'active',
        token_epoch = token_epoch + case when roles = %(roles)s then 0 else 1 end, updated_at = %(now)s
    where tenant_id = %(tenant_id)s and id = %(user_id)s
"""
# One sign-in of a subject at a time: the first of two makes the user, the second finds it.
LOCK_SUBJECT: Final = """
    select pg_advisory_xact_lock(hashtextextended(%(tenant_id)s::text || %(provider_id)s::text || %(subject)s, 0))
"""

CROSS_TENANT: Final = ("FIND", "LIST", "TAKE", "LOCK_SUBJECT")
"""A tenant's slug and a hash of 256 random bits find the tenant; a lock reads no table."""
