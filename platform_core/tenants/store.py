"""All SQL about tenants."""

from typing import Final

_COLUMNS: Final = "id, slug, display_name, coalesce(settings ->> 'timezone', 'Asia/Seoul') as timezone"

INSERT: Final = """
    insert into core.tenants (slug, display_name, settings)
    values (%(slug)s, %(display_name)s, jsonb_build_object('timezone', %(timezone)s::text))
    on conflict (slug) do nothing
"""
GET: Final = f"select {_COLUMNS} from core.tenants where slug = %(slug)s and status <> 'deleted'"
LIST: Final = f"select {_COLUMNS} from core.tenants where status <> 'deleted' order by slug"
