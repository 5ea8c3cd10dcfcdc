"""Named moments at which a test may kill the process, to prove that nothing is lost there."""

import os
import signal

CRASH_POINTS = frozenset(
    {
        "landing.after_copy",
        "landing.before_commit",
        "landing.after_commit",
        "publish.after_candidate",
        "publish.after_audit",
        "publish.before_commit",
        "publish.after_commit",
        "mart.before_refresh",
        "mart.after_refresh",
        "mart.before_swap",
    }
)


def crash_point(name: str) -> None:
    """Kill this process, as `kill -9` would, when the environment variable TAKT_CRASH_AT names this moment."""
    if name not in CRASH_POINTS:
        raise ValueError(f"{name} is not among CRASH_POINTS")
    if os.environ.get("TAKT_CRASH_AT") == name:
        os.kill(os.getpid(), signal.SIGKILL)
