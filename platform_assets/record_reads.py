"""Which record types a model reads, parsed from its SQL."""

from sqlglot import exp

from dbt_like_sql.compile import parse_query
from dbt_like_sql.contracts import Model
from platform_core.ingest.record_types import RECORD_TYPES


def record_types_read(model: Model) -> tuple[str, ...]:
    """Names of the record types that the model's SELECT compares `record_type` with, sorted."""
    found: set[str] = set()
    for equality in parse_query(model.sql, where=str(model.path)).find_all(exp.EQ):
        sides = (equality.left, equality.right)
        if any(isinstance(side, exp.Column) and side.name == "record_type" for side in sides):
            found |= {side.name for side in sides if isinstance(side, exp.Literal) and side.name in RECORD_TYPES}
    return tuple(sorted(found))
