"""Mappings: YAML files that say how a source's fields become the canonical payload of a record type."""

from platform_core.ingest.mapping.catalogue import (
    Usable,
    find_mapping,
    header_score,
    list_mappings,
    load_mapping,
    parse_mapping,
    reader_options,
    source_fields,
    usable_mappings,
)
from platform_core.ingest.mapping.compiling import MapRow, compile_mapping
from platform_core.ingest.mapping.errors import MappingError, UnknownMappingError
from platform_core.ingest.mapping.schema import FieldSpec, Mapping

__all__ = [
    "FieldSpec",
    "MapRow",
    "Mapping",
    "MappingError",
    "UnknownMappingError",
    "Usable",
    "compile_mapping",
    "find_mapping",
    "header_score",
    "list_mappings",
    "load_mapping",
    "parse_mapping",
    "reader_options",
    "source_fields",
    "usable_mappings",
]
