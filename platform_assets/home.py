"""The folder that DAGSTER_HOME names. Imports nothing of Dagster, so that `takt up` starts at once."""

from pathlib import Path

from platform_core.settings import Settings

CONFIG = Path(__file__).parent / "config"
"""dagster.yaml and workspace.yaml, inside the package so that an installed wheel has them."""


def dagster_home(settings: Settings) -> Path:
    """TAKT_HOME/dagster; made, and brought to what this version ships."""
    folder = settings.home.absolute() / "dagster"
    folder.mkdir(parents=True, exist_ok=True)
    for shipped in CONFIG.glob("*.yaml"):
        text = shipped.read_text(encoding="utf-8")
        copy = folder / shipped.name
        if not copy.exists() or copy.read_text(encoding="utf-8") != text:
            copy.write_text(text, encoding="utf-8")
    return folder
