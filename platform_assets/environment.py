"""Which settings this process works with: those of the environment, or those that a caller has put in force."""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

from platform_core.settings import Settings

_in_force: ContextVar[Settings | None] = ContextVar("takt_settings", default=None)


def current_settings() -> Settings:
    """The settings in force; Dagster makes storage, launcher and resources itself and hands them none."""
    return _in_force.get() or Settings()


@contextmanager
def settings_in_force(settings: Settings) -> Generator[None]:
    """Everything that Dagster makes inside uses `settings`."""
    token = _in_force.set(settings)
    try:
        yield
    finally:
        _in_force.reset(token)
