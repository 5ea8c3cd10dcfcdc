"""`${NAME}` in a source's YAML: taken from the environment when the source is opened, and never shown."""

import os
import re
from collections.abc import Mapping
from typing import Any, cast

from platform_core.ingest.readers.errors import SourceConfigError

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def filled_in(text: str, environment: Mapping[str, str] | None = None) -> str:
    """The text with each `${NAME}` replaced; raises SourceConfigError that names the variable, not a value."""
    source = os.environ if environment is None else environment

    def value_of(found: re.Match[str]) -> str:
        value = source.get(found.group(1))
        if value is None:
            raise SourceConfigError(
                f"The environment variable {found.group(1)} is not set, but a source needs it.",
                hint=f"Set {found.group(1)} for the process that reads the source.",
            )
        return value

    return _REFERENCE.sub(value_of, text)


def all_filled_in(value: Any) -> Any:
    """The same for every text in a structure of dicts and lists."""
    if isinstance(value, str):
        return filled_in(value)
    if isinstance(value, dict):
        return {key: all_filled_in(item) for key, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [all_filled_in(item) for item in cast("list[Any]", value)]
    return value
