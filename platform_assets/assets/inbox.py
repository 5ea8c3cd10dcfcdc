"""The asset that takes files from the tenants' inboxes: TAKT_HOME/tenants/<slug>/inbox."""

# Dagster wants the bare annotation MaterializeResult, without its type argument.
# pyright: reportMissingTypeArgument=false, reportUnknownParameterType=false

import time
from pathlib import Path

import dagster as dg

from dbt_like_sql.project import Project
from platform_assets.jobs import OPERATIONS_GROUP
from platform_assets.metadata import INBOX_KEY
from platform_assets.resources import WarehouseAccess, WarehouseResource
from platform_core.settings import Settings
from platform_core.tenants.contracts import Tenant
from platform_core.tenants.service import list_tenants, tenant_home
from platform_core.warehouse.connection import transaction

_SETTLE_SECONDS = 5.0
_LONGEST_SECONDS = 60.0


def inbox_of(settings: Settings, slug: str) -> Path:
    """The folder into which a tenant's systems drop files; may not exist."""
    return tenant_home(settings, slug) / "inbox"


def waiting_files(settings: Settings, slug: str) -> list[Path]:
    """Files in a tenant's inbox, also those that are still being written."""
    from platform_core.ingest.inbox import Inbox

    folder = inbox_of(settings, slug)
    return Inbox(folder, settle_seconds=0).ready() if folder.is_dir() else []


def inbox_asset(project: Project) -> dg.AssetsDefinition:
    """`ops/inbox`: each file is read once and moved to done/ or failed/ with a report."""

    @dg.asset(
        key=INBOX_KEY,
        group_name=OPERATIONS_GROUP,
        kinds={"csv", "excel", "postgres"},
        owners=["team:data"],
        description=(
            "Files that systems drop into TAKT_HOME/tenants/<tenant>/inbox: each is read once and moved to done/ or"
            " failed/ with a report beside it. A subfolder called like a mapping says which one its files need."
        ),
        pool="inbox",
    )
    def inbox(context: dg.AssetExecutionContext, warehouse: WarehouseResource) -> dg.MaterializeResult:
        with transaction(warehouse.open(), read_only=True) as conn:
            tenants = list_tenants(conn)
        files = [entry for tenant in tenants for entry in _take(warehouse, project, tenant)]
        for entry in files:
            context.log.info("%s of %s: %s", entry["file"], entry["tenant"], "read" if entry["ok"] else "failed")
        return dg.MaterializeResult(
            metadata={
                "files read": sum(bool(entry["ok"]) for entry in files),
                "files failed": sum(not entry["ok"] for entry in files),
                "files": dg.MetadataValue.json(files),
            }
        )

    return inbox


def _take(warehouse: WarehouseAccess, project: Project, tenant: Tenant) -> list[dict[str, str | bool]]:
    """Read what is complete: a file must have stayed the same for a while, so this looks several times."""
    from platform_core.ingest.inbox import Inbox
    from platform_core.ingest.service import Ingest, inbox_handler

    if not waiting_files(warehouse.settings, tenant.slug):
        return []
    ingest = Ingest(warehouse.open(), warehouse.settings, project, tenant, warehouse.now())
    handle = inbox_handler(ingest, clock=warehouse.now)
    taken: list[dict[str, str | bool]] = []
    began = time.monotonic()
    with Inbox(inbox_of(warehouse.settings, tenant.slug), settle_seconds=_SETTLE_SECONDS) as inbox:
        while True:
            for result in inbox.run_once(handle):
                taken.append({"tenant": tenant.slug, "file": str(result.original), "ok": result.succeeded})
            left = bool(waiting_files(warehouse.settings, tenant.slug))
            if not left or time.monotonic() - began > _LONGEST_SECONDS:
                return taken
            time.sleep(1)
