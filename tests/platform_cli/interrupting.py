"""Processes that Ctrl-C can stop, however the tests themselves were started."""

import signal
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, cast


@contextmanager
def interruptible(command: list[str], **options: Any) -> Generator["subprocess.Popen[bytes]"]:
    """Start the command, and stop it at the end as Ctrl-C does; one that does not heed it is killed and told of.

    A shell lets what it starts in the background ignore SIGINT, which children inherit unless a handler is in place.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process: subprocess.Popen[bytes] = cast(Any, subprocess.Popen)(command, **options)
    finally:
        signal.signal(signal.SIGINT, before)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
