"""A process whose memory is measured: it lands files and builds what is dirty.

    python -m tests.chaos.large_day ZONE MAPPING=FILE...

Its last line is JSON: seconds of landing and building, and the most memory it held.
"""

import json
import resource
import sys
import time
from pathlib import Path

from dbt_like_sql.project import load_project
from platform_core.clock import utc_now
from platform_core.ingest.service import Ingest, ingest_file
from platform_core.settings import Settings
from platform_core.tenants.service import create_tenant
from platform_core.warehouse.connection import open_warehouse, transaction
from tests.end_to_end.warehouse_of_factory import build_dirty


def main(timezone: str, files: list[str]) -> None:
    """Land, build, report."""
    settings = Settings()
    warehouse = open_warehouse(settings)
    with transaction(warehouse) as connection:
        tenant = create_tenant(connection, "large", "Large", timezone)
    begin = time.monotonic()
    for file in files:
        mapping, path = file.split("=", 1)
        report = ingest_file(
            Ingest(warehouse, settings, load_project(), tenant, utc_now()), Path(path), mapping=mapping
        )
        assert report.outcomes.landed == report.outcomes.rows_read, report.outcomes
    landed = time.monotonic()
    runs = build_dirty(warehouse)
    built = time.monotonic()
    assert not any(run.failed for run in runs), [run.failed for run in runs if run.failed]
    unit = 1 if sys.platform == "darwin" else 1024
    figures = {
        "landing_seconds": round(landed - begin, 1),
        "building_seconds": round(built - landed, 1),
        "building_seconds_by_model": {run.model: round(run.seconds, 1) for run in runs if run.seconds > 1},
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit,
    }
    print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
