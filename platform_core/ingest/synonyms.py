"""What plants and their systems call the fields of each record type; the words are in synonyms.yml beside this file."""

from functools import cache
from pathlib import Path

from pydantic import TypeAdapter

from platform_core.ingest.mapping.yaml_lines import parse_yaml, read_text
from platform_core.ingest.readers.options import Strict


class Vocabulary(Strict):
    """The words by which columns and values are recognised."""

    synonyms: dict[str, dict[str, tuple[str, ...]]]
    """By record type and payload field, the plainest first."""
    date_names: tuple[str, ...]
    values: dict[str, dict[str, str]]
    """By payload field: value in the source, in small letters, to canonical value."""


@cache
def vocabulary() -> Vocabulary:
    """The packaged words, read once."""
    path = Path(__file__).with_suffix(".yml")
    found, _ = parse_yaml(read_text(path), TypeAdapter(Vocabulary), path.name)
    return found
