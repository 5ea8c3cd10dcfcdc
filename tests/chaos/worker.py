"""A process to be killed: it ingests a factory's files for one tenant after the other, and builds what is dirty.

    python -m tests.chaos.worker FOLDER TENANT...

It says on standard output what it is about to do; `ready` when it has connected, `done TENANT` when all is built.
"""

import sys
from importlib import import_module
from pathlib import Path

from dbt_like_sql.project import load_project
from platform_core.clock import utc_now
from platform_core.ingest.service import Ingest, ingest_file
from platform_core.settings import Settings
from platform_core.tenants.service import create_tenant
from platform_core.warehouse.connection import Warehouse, open_warehouse, transaction
from platform_core.warehouse.contracts import ModelRun
from platform_core.warehouse.dirty import due_dates, due_undated
from platform_core.warehouse.publish import build
from tests.end_to_end.warehouse_of_factory import read_json

SOURCE = "alpha"
"""The plant whose files every tenant gets."""


def main(folder: Path, slugs: list[str]) -> None:
    """Do the work for each tenant; doing it again changes nothing."""
    settings = Settings()
    warehouse = open_warehouse(settings)
    import_module("great_expectations")  # its seconds of import are no moments worth a kill
    say("ready")
    for slug in slugs:
        _ingest(warehouse, settings, folder, slug)
        _build(warehouse)
        say(f"done {slug}")


def say(text: str) -> None:
    """One line, at once."""
    print(f"{text}\n", end="", flush=True)  # in one piece, as the models' threads name crash points


def _ingest(warehouse: Warehouse, settings: Settings, folder: Path, slug: str) -> None:
    say("landing")
    manifest = read_json(folder / "manifest.json")
    (plant,) = (each for each in manifest["tenants"] if each["slug"] == SOURCE)
    with transaction(warehouse) as connection:
        tenant = create_tenant(connection, slug, slug, plant["timezone"])
    ingest = Ingest(warehouse, settings, load_project(), tenant, utc_now())
    for file in manifest["files"]:
        if file["tenant"] == SOURCE:
            ingest_file(ingest, folder / file["path"], mapping=file["mapping"])


def _build(warehouse: Warehouse) -> None:
    while True:
        with transaction(warehouse, read_only=True) as connection:
            dates, others = due_dates(connection, utc_now()), due_undated(connection, utc_now())
        if not dates and not others:
            return
        build(warehouse, load_project(), dates, now=utc_now(), run_id="chaos", progress=_tell)


def _tell(relation: str, run: ModelRun | None) -> None:
    if run is None:
        say(relation)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
