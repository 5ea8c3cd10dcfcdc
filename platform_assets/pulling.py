"""Asks the configured sources of a record type, for every tenant."""

from collections.abc import Sequence
from datetime import date
from logging import Logger
from typing import Any

from dbt_like_sql.project import Project
from platform_assets.resources import WarehouseAccess


def pull_sources(
    warehouse: WarehouseAccess, project: Project, record_type: str, dates: Sequence[date] | None, log: Logger
) -> dict[str, Any]:
    """Pull every tenant's sources of the record type; returns how the rows ended. None configured: nothing."""
    return {}
