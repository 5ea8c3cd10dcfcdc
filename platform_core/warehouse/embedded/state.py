"""The embedded server's files under TAKT_HOME, and whether a server lives on its data.

TAKT_HOME/server.json    where the data is and on which port the server listens
TAKT_HOME/secrets.json   the generated passwords, mode 0600
TAKT_HOME/server.lock    held while somebody starts or stops the server
TAKT_HOME/server.alive   held, through an inherited descriptor, by the server and each of its children while they live
"""

import fcntl
import json
import os
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from platform_core.warehouse.errors import HomeNotUsableError

SUPERUSER = "postgres"
_LOGINS = (SUPERUSER, "takt_owner", "takt_api")


@dataclass(frozen=True)
class ServerState:
    """Where the server is. `folder` holds its configuration, log and the folder `data`."""

    folder: Path
    port: int
    roles_made: bool = False

    @property
    def data(self) -> Path:
        """PostgreSQL's data folder."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """What the server has to say."""
        return self.folder / "server.log"


@dataclass(frozen=True)
class HomeFiles:
    """The paths above, for one TAKT_HOME."""

    home: Path

    @property
    def lock(self) -> Path:
        """Held while somebody starts or stops the server."""
        return self.home / "server.lock"

    @property
    def alive(self) -> Path:
        """Held by the server itself."""
        return self.home / "server.alive"

    def read_state(self) -> ServerState | None:
        """The stored state, None before the first start; raises HomeNotUsableError when it cannot be read."""
        stored = read_private(self.home / "server.json")
        if stored is None:
            return None
        try:
            return ServerState(Path(str(stored["folder"])), int(str(stored["port"])), bool(stored["roles_made"]))
        except (KeyError, ValueError) as error:
            raise _damaged(self.home / "server.json", error) from error

    def write_state(self, state: ServerState) -> None:
        """Store the state, whole or not at all."""
        write_private(self.home / "server.json", asdict(state) | {"folder": str(state.folder)})

    def passwords(self) -> dict[str, str] | None:
        """The passwords by login, None before the first start."""
        stored = read_private(self.home / "secrets.json")
        try:
            return None if stored is None else {login: str(stored[login]) for login in _LOGINS}
        except KeyError as error:
            raise _damaged(self.home / "secrets.json", error) from error

    def make_passwords(self) -> dict[str, str]:
        """The stored passwords, generated the first time."""
        stored = self.passwords()
        if stored is None:
            stored = {login: secrets.token_urlsafe(24) for login in _LOGINS}
            write_private(self.home / "secrets.json", stored)
        return stored


def write_private(path: Path, content: Mapping[str, object]) -> None:
    """Write JSON that only this user can read, whole or not at all."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)  # mkstemp makes it 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


def read_private(path: Path) -> dict[str, object] | None:
    """What write_private has stored, None when there is no such file; raises HomeNotUsableError."""
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except NotADirectoryError as error:
        raise HomeNotUsableError(
            f"{path.parent} is not a folder.", hint="Set TAKT_HOME to a folder that you may write."
        ) from error
    except PermissionError as error:
        raise HomeNotUsableError(
            f"{path} belongs to another user.",
            hint="Run takt as the user who made it, or set TAKT_HOME to a folder of your own.",
        ) from error
    except (ValueError, TypeError) as error:  # no JSON, no UTF-8, or no object
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> HomeNotUsableError:
    said = f"{error} is missing" if isinstance(error, KeyError) else str(error)
    return HomeNotUsableError(
        f"{path} is damaged: {said}.",
        hint="Restore it from a backup; without it the server's data cannot be used.",
    )


class AliveLock:
    """A lock that the server's processes keep by inheritance, so that it tells surely whether one of them lives.

    A process number in a file does not: numbers are used again, a zombie still has one, and another container's
    are not visible at all.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def take(self) -> int | None:
        """A descriptor that holds the lock, to be given to the server and closed; None when a server has it."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return descriptor

    def held(self) -> bool:
        """Whether a server process lives."""
        if not self._path.exists():
            return False
        descriptor = self.take()
        if descriptor is None:
            return True
        os.close(descriptor)
        return False
