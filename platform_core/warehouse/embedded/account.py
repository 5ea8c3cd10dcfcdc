"""The operating system's user that the embedded server runs as.

PostgreSQL refuses to run as root, so root hands the server to a system account of its own, which owns nothing else.
"""

import os
import pwd
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from platform_core.warehouse.errors import ServerStartError

ACCOUNT_NAME = "takt-server"


class SpawnArguments(TypedDict, total=False):
    """Arguments of subprocess calls that change the user."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True)
class Account:
    """A user id and group id; `other` says that they are not our own, so that we must switch to them."""

    uid: int
    gid: int
    other: bool

    def spawn_arguments(self) -> SpawnArguments:
        """What subprocess needs to run something as this account."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.other else {}

    def own(self, path: Path) -> None:
        """Give a file or folder, that we have just made, to this account."""
        if self.other:
            os.chown(path, self.uid, self.gid)

    def can_enter(self, folder: Path) -> bool:
        """Whether every folder down to this one lets the account through; found by trying, as ACLs count too."""
        if not self.other:
            return True
        tried = subprocess.run(
            ["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)], cwd="/", capture_output=True, **self.spawn_arguments()
        )
        return tried.returncode == 0


def server_account(data: Path | None) -> Account:
    """The account that owns the data folder; before there is one, our own, or for root the server's own account."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid(), other=False)
    if data is not None:
        owner = data.stat()
        return Account(owner.st_uid, owner.st_gid, other=True)
    entry = _find(ACCOUNT_NAME) or _create() or _find("nobody")
    if entry is None:
        raise ServerStartError(
            "PostgreSQL does not run as root, and no other account could be made for it.",
            hint=f"Make a system account named {ACCOUNT_NAME}, or run takt as an ordinary user.",
        )
    return Account(entry.pw_uid, entry.pw_gid, other=True)


def _find(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def _create() -> pwd.struct_passwd | None:
    """Make the account with whichever tool this system has; None where it has none (macOS) or refuses."""
    if sys.platform != "linux":
        return None
    home = "/nonexistent"
    for command in (
        ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", home, "--shell", "/usr/sbin/nologin"],
        ["adduser", "-S", "-D", "-H", "-h", home, "-s", "/sbin/nologin"],  # busybox
    ):
        if shutil.which(command[0]):
            # A second takt may make it at the same moment: what counts is whether it is there afterwards.
            subprocess.run([*command, ACCOUNT_NAME], capture_output=True)
            if entry := _find(ACCOUNT_NAME):
                return entry
    return None
