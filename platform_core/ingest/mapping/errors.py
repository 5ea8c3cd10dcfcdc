"""What can be wrong with a mapping file.

IngestError
└── MappingError           the YAML is not a mapping; the message names file and line
    └── UnknownMappingError  no mapping of that name is shipped or kept by the tenant
"""

from platform_core.ingest.errors import IngestError


class MappingError(IngestError):
    """A mapping's YAML cannot be used; the message names the file, the line and what is wrong there."""

    code = "ERR_INGEST_MAPPING"
    http_status = 422


class UnknownMappingError(MappingError):
    """No mapping of that name is shipped or kept by the tenant."""

    code = "ERR_INGEST_UNKNOWN_MAPPING"
    http_status = 404
