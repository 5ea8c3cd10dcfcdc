"""What others see of a tenant."""

from dataclasses import dataclass
from uuid import UUID

DEFAULT_SLUG = "default"
DEFAULT_TIMEZONE = "Asia/Seoul"


@dataclass(frozen=True)
class Tenant:
    """One company or plant whose records nobody else sees. `timezone` is an IANA name, of plants that name none."""

    id: UUID
    slug: str
    display_name: str
    timezone: str
