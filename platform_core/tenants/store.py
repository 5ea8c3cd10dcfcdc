"""All SQL about tenants."""

from typing import Final

INSERT: Final = """
    insert into core.tenants (slug, display_name, settings)
    values (%(slug)s, %(display_name)s, jsonb_build_object('timezone', %(timezone)s::text))
    on conflict (slug) do nothing
"""
SET_TIMEZONE: Final = """
    update core.tenants set settings = settings || jsonb_build_object('timezone', %(timezone)s::text)
    where slug = %(slug)s and status <> 'deleted'
"""
GET: Final = """
    select id, slug, display_name, coalesce(settings ->> 'timezone', 'Asia/Seoul') as timezone
    from core.tenants where slug = %(slug)s and status <> 'deleted'
"""
LIST: Final = """
    select id, slug, display_name, coalesce(settings ->> 'timezone', 'Asia/Seoul') as timezone
    from core.tenants where status <> 'deleted' order by slug
"""
