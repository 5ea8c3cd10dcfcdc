"""Figures of the long proofs, kept in docs/proof.json beside the machine that they were measured on."""

import json
import os
import platform
from pathlib import Path
from typing import Any

import psutil

PROOF = Path(__file__).parents[2] / "docs" / "proof.json"


def record(name: str, figures: dict[str, Any]) -> None:
    """Put the figures of one proof in the place of its earlier ones."""
    proofs: dict[str, Any] = json.loads(PROOF.read_text(encoding="utf-8")) if PROOF.exists() else {}
    proofs[name] = figures | {"machine": machine()}
    PROOF.write_text(json.dumps(proofs, ensure_ascii=False, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def machine() -> dict[str, Any]:
    """What a reader needs to judge the figures."""
    return {
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }
