"""How a command shows how far it is: a bar on a terminal, on standard error; plain lines in a log."""

import sys
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import typer

if TYPE_CHECKING:
    from rich.progress import Progress

    from platform_core.ingest.service import Ingest
    from platform_core.ingest.watching import Ended

INTERRUPTED = 130
"""Exit code of a command that Ctrl-C ended, as shells have it."""


class Bar:
    """Steps done of all, with a word about the present one; shows nothing where no person looks on."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._task: Any = None
        self._bar: Progress | None = _bar() if sys.stderr.isatty() else None

    @property
    def is_shown(self) -> bool:
        """Whether somebody sees it."""
        return self._bar is not None

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._task = self._bar.add_task(self._title, total=None, rows="")
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, **what: Any) -> None:
        """Change what is shown: `total`, `completed`, `description`, `rows`."""
        if self._bar is not None:
            self._bar.update(self._task, **what)

    def echo(self, text: str, *, err: bool = False) -> None:
        """Print a line above the bar."""
        if self._bar is not None:
            self._bar.stop()
        typer.echo(text, err=err)
        if self._bar is not None:
            self._bar.start()


def _bar() -> "Progress":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rows]}"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )


class LoadsShown:
    """Watches loads (`Watcher` of platform_core.ingest): the bar, and a word about each load when it ends."""

    def __init__(self, bar: Bar, tell: "Callable[[Ended], None]") -> None:
        self._bar, self._tell = bar, tell
        self._done = 0
        self.ended: list[Ended] = []
        self.running: str | None = None

    def expect(self, loads: int) -> None:
        """How many tables will be loaded."""
        self._bar.show(total=loads, completed=0)

    def advance(self, name: str, rows: int) -> None:
        """How many rows of a source are dealt with."""
        self.running = name
        self._bar.show(description=short(name), rows=f"{rows:,} rows")

    def end(self, one: "Ended") -> None:
        """A source is done with."""
        from platform_core.ingest.reports import LoadedSource

        self.running = None
        self._done += isinstance(one, LoadedSource)
        self.ended.append(one)
        self._bar.show(completed=self._done, rows="")
        self._tell(one)

    def tell_interruption(self, ingest: "Ingest") -> None:
        """Say what of an interrupted call is stored, and how to go on."""
        from platform_core.ingest.reports import report_of
        from platform_core.ingest.service import rows_committed

        loads = report_of(self.ended).loads
        typer.echo(
            f"Interrupted. {len(loads)} loads are done and stored{_named([one.name for one in loads])}.", err=True
        )
        if self.running is not None:
            kept = rows_committed(ingest, self.running)
            typer.echo(
                f"{short(self.running)} was under way: {kept:,} of its rows are stored, the rest is not.", err=True
            )
        typer.echo("The same command again goes on safely: what is stored lands as unchanged.", err=True)


def _named(names: list[str], shown: int = 5) -> str:
    if not names:
        return ""
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return f": {', '.join(map(short, names[:shown]))}{more}"


def short(name: str) -> str:
    """The last two parts of a path: the folder tells what system it is from."""
    return "/".join(name.split("/")[-2:])
