"""SQL of a session: whose rows it sees, and what it needs to know of the server."""

from typing import Final

SET_TENANT: Final = "select set_config('takt.tenant', %(tenant)s, true)"
SET_LINES: Final = "select set_config('takt.lines', %(lines)s::text[]::text, true)"
SERVER_VERSION: Final = "select current_setting('server_version_num')::integer"
