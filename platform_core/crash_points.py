"""Named moments at which a test may kill the process, to prove that nothing is lost there.

TAKT_CRASH_AT chooses one by its name, by what it is about, and by how often it has come by: `mart.after_refresh`,
`publish.before_commit@bi.fact_order_daily`, `publish.before_commit@bi.fact_order_daily#2`. With TAKT_TELL_CRASH_POINTS
set, each is said on standard output as it is passed. Only tests set these.
"""

import os
import signal
from collections import Counter
from threading import Lock

CRASH_POINTS = frozenset(
    {
        "landing.after_copy",
        "landing.before_commit",
        "landing.after_commit",
        "watermark.before_commit",
        "watermark.after_commit",
        "inbox.after_take",
        "inbox.after_read",
        "inbox.after_report",
        "inbox.after_move",
        "publish.after_candidate",
        "publish.after_audit",
        "publish.before_states",
        "publish.before_commit",
        "publish.after_commit",
        "beside.before_commit",
        "beside.after_commit",
        "exchange.before_commit",
        "exchange.after_commit",
        "checks.before_commit",
        "checks.after_commit",
        "mart.before_refresh",
        "mart.after_refresh",
        "mart.before_commit",
        "mart.after_commit",
        "mart.before_swap",
        "mart.after_swap",
        "seal.after_file",
        "seal.before_commit",
        "seal.after_commit",
        "attach.before_commit",
        "attach.after_commit",
    }
)

_passed: Counter[str] = Counter()
_turn = Lock()


def crash_point(name: str, of: str = "") -> None:
    """Kill this process, as `kill -9` would, when this moment (of this model, record type, ...) is the chosen one."""
    if name not in CRASH_POINTS:
        raise ValueError(f"{name} is not among CRASH_POINTS")
    if os.environ.get("TAKT_TELL_CRASH_POINTS"):
        print(f"{name} {of}\n", end="", flush=True)  # in one piece, as other threads write too
    chosen = os.environ.get("TAKT_CRASH_AT")
    if chosen and _is_chosen(chosen, name, of):
        os.kill(os.getpid(), signal.SIGKILL)


def _is_chosen(chosen: str, name: str, of: str) -> bool:
    place, _, time = chosen.partition("#")
    point, _, what = place.partition("@")
    if point != name or what not in ("", of):
        return False
    with _turn:  # models are made in several threads
        _passed[chosen] += 1
        return _passed[chosen] == int(time or 1)
