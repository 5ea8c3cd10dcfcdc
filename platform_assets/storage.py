"""Where Dagster keeps its runs, events and logs: database `dagster` of the warehouse, and TAKT_HOME.

Both classes take no configuration, so that the dagster.yaml that names them works on every machine as it is.
"""

import os
from collections.abc import Mapping
from typing import Any

from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage

from platform_assets.environment import current_settings
from platform_core.settings import Settings
from platform_core.warehouse.connection import open_warehouse

# Losing the last half second of the run log in a crash of the server is harmless: the warehouse holds the truth. The
# application name tells these connections apart in pg_stat_activity.
_OPTIONS = "?application_name=dagster&options=-csynchronous_commit%3Doff"


def dagster_storage_url(settings: Settings) -> str:
    """The SQLAlchemy URL of Dagster's storage; starts the embedded server when it is not running.

    The driver is named since `postgresql://` means psycopg 3 from SQLAlchemy 2.1 on, with which dagster-postgres fails.
    """
    url = open_warehouse(settings).dagster_url
    return url.replace("postgresql://", "postgresql+psycopg2://", 1) + (_OPTIONS if "?" not in url else "")


class WarehouseStorage(DagsterPostgresStorage):
    """Dagster's storage in the warehouse's server, found through TAKT_HOME or TAKT_DATABASE_URL."""

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        # The dates of one run are written together: 1.5 s less for 30 dates of 16 models.
        os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", "100")
        super().__init__(dagster_storage_url(current_settings()), inst_data=inst_data)
        # By default every event opens a connection of its own, with a password exchange: 25 ms for each against 4 ms
        # (a day of 16 models with 240 checks took 22 s, and takes 3 s).
        for storage in (self._run_storage, self._event_log_storage, self._schedule_storage):
            storage.optimize_for_webserver(statement_timeout=0, pool_recycle=600, max_overflow=-1)

    @classmethod
    def config_type(cls) -> Mapping[str, Any]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """No configuration."""
        return {}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "WarehouseStorage":
        """Called by Dagster with the (empty) configuration."""
        return cls(inst_data=inst_data)


class HomeComputeLogManager(LocalComputeLogManager):
    """Keeps the output of runs below TAKT_HOME, so that the UI shows it whoever ran them, from whatever folder."""

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(str(current_settings().home / "dagster" / "storage"), inst_data=inst_data)

    @classmethod
    def config_type(cls) -> Mapping[str, Any]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """No configuration."""
        return {}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "HomeComputeLogManager":
        """Called by Dagster with the (empty) configuration."""
        return cls(inst_data=inst_data)
