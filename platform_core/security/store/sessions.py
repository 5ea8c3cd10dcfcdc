"""SQL about refresh tokens, authorization codes and mailed links."""

from typing import Final

INSERT_REFRESH: Final = """
    insert into core.refresh_token (tenant_id, user_id, client_id, family, family_started_at, rotated_from, token_hash,
        scope, issued_at, expires_at)
    values (%(tenant_id)s, %(user_id)s, %(client_id)s, %(family)s, %(family_started_at)s, %(rotated_from)s,
        %(token_hash)s, %(scope)s, %(now)s, %(expires_at)s)
"""
FIND_REFRESH: Final = """
    select id, tenant_id, user_id, client_id, family, family_started_at, scope, expires_at, used_at, revoked_at
    from core.refresh_token where token_hash = %(token_hash)s for update
"""
USE_REFRESH: Final = """
    update core.refresh_token set used_at = %(now)s where tenant_id = %(tenant_id)s and id = %(id)s
"""
REVOKE_FAMILY: Final = """
    update core.refresh_token set revoked_at = %(now)s
    where tenant_id = %(tenant_id)s and family = %(family)s and revoked_at is null
"""
REVOKE_OF_USER: Final = """
    update core.refresh_token set revoked_at = %(now)s
    where tenant_id = %(tenant_id)s and user_id = %(id)s and revoked_at is null
"""
RAISE_EPOCHS_OF_CLIENT: Final = """
    update core.users u set token_epoch = token_epoch + 1
    where u.tenant_id = %(tenant_id)s and exists (
        select from core.refresh_token r
        where r.tenant_id = u.tenant_id and r.user_id = u.id and r.client_id = %(id)s and r.revoked_at is null
    )
"""
REVOKE_OF_CLIENT: Final = """
    update core.refresh_token set revoked_at = %(now)s
    where tenant_id = %(tenant_id)s and client_id = %(id)s and revoked_at is null
"""

INSERT_CODE: Final = """
    insert into core.authorization_code (code_hash, tenant_id, client_id, user_id, redirect_uri, code_challenge, scope,
        created_at, expires_at)
    values (%(code_hash)s, %(tenant_id)s, %(client_id)s, %(user_id)s, %(redirect_uri)s, %(code_challenge)s, %(scope)s,
        %(now)s, %(expires_at)s)
"""
FIND_CODE: Final = """
    select tenant_id, client_id, user_id, redirect_uri, code_challenge, scope, family, expires_at, used_at
    from core.authorization_code where code_hash = %(code_hash)s for update
"""
USE_CODE: Final = """
    update core.authorization_code set used_at = %(now)s
    where tenant_id = %(tenant_id)s and code_hash = %(code_hash)s
"""

INSERT_LINK: Final = """
    insert into core.mailed_link (token_hash, tenant_id, user_id, purpose, created_at, expires_at)
    values (%(token_hash)s, %(tenant_id)s, %(user_id)s, %(purpose)s, %(now)s, %(expires_at)s)
"""
FIND_LINK: Final = """
    select tenant_id, user_id, expires_at, used_at from core.mailed_link
    where token_hash = %(token_hash)s and purpose = %(purpose)s for update
"""
USE_LINKS: Final = """
    update core.mailed_link set used_at = %(now)s
    where tenant_id = %(tenant_id)s and user_id = %(id)s and used_at is null
"""

# What is over is of no use to anybody; a used refresh token stays until its family could not be refreshed any more.
SWEEP: Final = (
    "delete from core.refresh_token where expires_at < %(before)s",
    "delete from core.authorization_code where expires_at < %(before)s",
    "delete from core.mailed_link where expires_at < %(before)s",
    "delete from core.oidc_login where expires_at < %(before)s",
)

CROSS_TENANT: Final = ("FIND_REFRESH", "FIND_CODE", "FIND_LINK", "SWEEP")
"""They look up a hash of 256 random bits, or delete what is over."""
