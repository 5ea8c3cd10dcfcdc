"""Source files for the mock ERP, ready for TAKT_HOME/tenants/<slug>/sources/."""

from collections.abc import Mapping

import yaml

from platform_core.factory.contracts import Json
from platform_core.factory.mock_erp import API_KEY, ERPNEXT_TOKEN, PASSWORD, TOKEN, USER

_CHANGED = {"field": "updated_at", "params": {"modified_since": "{watermark}"}}
_BEARER = {"type": "bearer", "token": TOKEN}
_ERPNEXT = {"type": "bearer", "scheme": "token", "token": ERPNEXT_TOKEN}

_READERS: Mapping[str, tuple[str, Json]] = {
    "erp_work_orders": (
        "takt_mes_work_order",
        {
            "path": "/work_orders",
            "records": "data",
            "auth": _BEARER,
            "paging": {"style": "page", "size_parameter": "per_page", "size": 100},
            "incremental": _CHANGED,
        },
    ),
    "erp_orders": (
        "takt_order",
        {
            "path": "/orders",
            "records": "items",
            "auth": {"type": "basic", "username": USER, "password": PASSWORD},
            "paging": {"style": "offset", "size": 50},
            "incremental": _CHANGED,
        },
    ),
    "erp_inventory": (
        "takt_inventory",
        {
            "path": "/inventory",
            "records": "result.rows",
            "auth": {"type": "api_key", "key": API_KEY, "header": "X-Api-Key"},
            "paging": {"style": "cursor", "path": "result.next", "size_parameter": "limit", "size": 50},
            "incremental": _CHANGED,
        },
    ),
    "erp_equipment_events": (
        "takt_equipment_event",
        {
            "path": "/equipment_events",
            "params": {"limit": "50"},
            "auth": _BEARER,
            "paging": {"style": "link"},
            "incremental": _CHANGED,
        },
    ),
    # The same work orders and stops as an ERPNext site tells them: use these or the first four, not both.
    "erpnext_job_cards": ("erpnext_job_card", {"auth": _ERPNEXT}),
    "erpnext_downtime": ("erpnext_downtime_entry", {"auth": _ERPNEXT}),
}
MARK = "of the mock ERP; its passwords are made up."
"""In each file, so that it can be told from one that a person wrote."""

NATIVE = ("erp_work_orders", "erp_orders", "erp_inventory", "erp_equipment_events")
"""The sources that together tell what the factory's files tell."""


def source_files(url: str, tenant: str) -> dict[str, str]:
    """The YAML of each source of one plant of the mock ERP at `url`, by the name of its file without .yml."""
    sources: dict[str, str] = {}
    for name, (mapping, reader) in _READERS.items():
        content: Json = {
            "description": f"{name} {MARK}",
            "mapping": mapping,
            "reader": {"type": "rest", "url": f"{url}/{tenant}", **reader},
        }
        sources[name] = yaml.safe_dump(content, allow_unicode=True, sort_keys=False)
    return sources
