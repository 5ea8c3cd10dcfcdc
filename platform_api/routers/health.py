"""/health: the process lives. /ready: it can do its work."""

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Response

from platform_api.dependencies import ServicesDependency
from platform_api.readiness import dependencies

router = APIRouter(tags=["operations"])


@router.get("/health")
async def health() -> dict[str, str]:
    """Answers as long as the process lives; asks nobody."""
    return {"status": "ok"}


@router.get("/ready")
async def ready(services: ServicesDependency, response: Response) -> dict[str, Any]:
    """200 when everything that is needed is there, else 503 with what is missing and why."""
    found = await dependencies(services)
    missing = [each.name for each in found if not each.ready]
    response.status_code = 503 if missing else 200
    return {
        "status": "not ready" if missing else "ready",
        "missing": missing,
        "dependencies": [asdict(each) for each in found],
    }
