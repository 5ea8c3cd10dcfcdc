"""The PostgreSQL that comes with Takt: the wheel's programs under a supervisor of our own.

Not the wheel's own supervisor, which trusts every local user as any role, changes the mode of folders that it did not
make, waits 10 s at most for a recovery and stops the server when its last handle goes.
"""

from platform_core.warehouse.embedded.server import (
    EmbeddedServer,
    abandoned,
    mark_roles_made,
    remembered,
    running,
    start,
    stop,
)

__all__ = ["EmbeddedServer", "abandoned", "mark_roles_made", "remembered", "running", "start", "stop"]
