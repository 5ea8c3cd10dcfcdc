"""What we use of Dagster that it still calls a beta or a preview, named one by one."""

import warnings
from collections.abc import Generator
from contextlib import contextmanager

import dagster as dg

_ACCEPTED: dict[type[Warning], tuple[str, ...]] = {
    dg.BetaWarning: (
        "Parameter `backfill_policy` of function `asset`",
        "Class `LocalFileCodeReference`",
        "Class `CodeReferencesMetadataValue`",
    ),
    dg.PreviewWarning: ("Specifying a partitions_def on an AssetCheckSpec",),
}


@contextmanager
def accepted_previews() -> Generator[None]:
    """Inside, those warnings are silent; any other shows."""
    with warnings.catch_warnings():
        for category, messages in _ACCEPTED.items():
            for message in messages:
                warnings.filterwarnings("ignore", message=message, category=category)
        yield
