"""The life of a load: begun, counted, ended; and the loads whose process went away."""

from contextlib import AbstractContextManager, suppress
from types import TracebackType
from uuid import UUID, uuid4

import psycopg

from dbt_like_sql.errors import TaktError
from platform_core.ingest.contracts import LoadRequest
from platform_core.ingest.store import loads as store
from platform_core.warehouse.connection import Warehouse, transaction


class OpenLoad(AbstractContextManager[UUID]):
    """A load that is running: leaving it by an error ends it as failed; landing ends it well, together with its rows.

    Its lock lives on `session`, a connection that nothing is rolled back on, so that others can tell whether this
    process still lives.
    """

    def __init__(self, session: psycopg.Connection, request: LoadRequest) -> None:
        self._session = session
        self._request = request
        self._load_id = uuid4()

    def __enter__(self) -> UUID:
        store.fail_interrupted(self._session)
        store.begin(self._session, self._load_id, self._request)
        return self._load_id

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None:
            # With the server gone the load stays `running` without a lock; whoever comes next ends it.
            with suppress(psycopg.Error):
                store.fail(self._session, self._load_id, _sentence(error))


def _sentence(error: BaseException) -> str:
    if isinstance(error, TaktError):
        return error.message
    if isinstance(error, KeyboardInterrupt):
        return "Interrupted. What the counts name has landed; load the source again for the rest."
    return f"{type(error).__name__}: {error}"


def fail_interrupted(warehouse: Warehouse) -> tuple[UUID, ...]:
    """End the loads whose process is gone as failed; what their counts name has landed and stays. Returns them."""
    with transaction(warehouse) as conn:
        return tuple(store.fail_interrupted(conn))
