"""Who is told how far a call is, and the report that grows while it goes on."""

from typing import Final, Protocol

from platform_core.ingest.reports import FailedSource, IngestReport, LoadedSource, SkippedSource, report_of, useless

Ended = LoadedSource | FailedSource | SkippedSource


class Watcher(Protocol):
    """Who is told how far a call is."""

    def expect(self, loads: int) -> None:
        """How many tables will be loaded."""
        ...

    def advance(self, name: str, rows: int) -> None:
        """How many rows of a source are dealt with."""
        ...

    def end(self, one: Ended) -> None:
        """A source is done with, in one of three ways."""
        ...


class _Nobody:
    def expect(self, loads: int) -> None:
        del loads

    def advance(self, name: str, rows: int) -> None:
        del name, rows

    def end(self, one: Ended) -> None:
        del one


NOBODY: Final = _Nobody()


class Record:
    """What has ended so far, told on at once; a load of which no row could be used has failed as well."""

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher
        self._ended: list[Ended] = []

    def end(self, one: Ended) -> None:
        """Note a source that is done with."""
        self._ended.append(one)
        self._watcher.end(one)
        if isinstance(one, LoadedSource) and one.is_useless:
            self.end(useless(one))

    def report(self) -> IngestReport:
        """Everything that has ended."""
        return report_of(self._ended)
