"""The Dagster instance of this installation."""

from collections.abc import Generator
from contextlib import contextmanager

import dagster as dg

from platform_assets.environment import settings_in_force
from platform_assets.home import dagster_home
from platform_core.settings import Settings


@contextmanager
def open_instance(settings: Settings) -> Generator[dg.DagsterInstance]:
    """The instance that the UI shows; starts the embedded server when it is not running."""
    with settings_in_force(settings), dg.DagsterInstance.from_config(str(dagster_home(settings))) as instance:
        yield instance
