"""What the UI shows about a table beside its rows: columns, their lineage, the files that define it, its relation."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from dbt_like_sql.contracts import Column, Model
from platform_core.ingest.record_types import RecordType

Lineage = Mapping[str, Sequence[tuple[str, str]]]
"""Per output column, the (upstream relation, column) pairs that it is made from."""


INBOX_KEY = dg.AssetKey(["ops", "inbox"])
MAINTENANCE_KEY = dg.AssetKey(["ops", "maintenance"])


def relation_key(relation: str) -> dg.AssetKey:
    """`bi.fact_daily_production` as an asset key; keys carry no tenant."""
    return dg.AssetKey(relation.split("."))


def raw_key(record_type: str) -> dg.AssetKey:
    """The asset of a record type's raw records."""
    return dg.AssetKey(["raw", record_type])


def model_metadata(model: Model, lineage: Lineage, assets: Sequence[dg.AssetKey]) -> dict[str, Any]:
    """Definition metadata of a model's asset; lineage only names columns of `assets`."""
    known = set(assets)
    deps = {
        column: [
            dg.TableColumnDep(asset_key=relation_key(relation), column_name=name)
            for relation, name in sources
            if relation_key(relation) in known
        ]
        for column, sources in lineage.items()
    }
    return {
        "dagster/column_schema": dg.TableSchema(columns=[_column(column) for column in model.spec.columns]),
        "dagster/column_lineage": dg.TableColumnLineage({name: found for name, found in deps.items() if found}),
        "dagster/table_name": model.relation,
        "dagster/code_references": dg.CodeReferencesMetadataValue(
            code_references=[
                dg.LocalFileCodeReference(file_path=str(path), label=path.name)
                for path in (model.path, model.path.with_suffix(".yml"))
            ]
        ),
        "definition": dg.MetadataValue.url(model.path.as_uri()),
        "contract": dg.MetadataValue.url(model.path.with_suffix(".yml").as_uri()),
        "grain": ", ".join(model.spec.grain),
        "query": dg.MetadataValue.md(f"```sql\n{model.sql.strip()}\n```"),
        "trace": f"takt trace {model.relation}",
    }


def raw_metadata(kind: RecordType) -> dict[str, Any]:
    """Definition metadata of a record type's asset: the fields of its canonical payload."""
    columns = [
        dg.TableColumn(
            name=name,
            type=field.type,
            constraints=dg.TableColumnConstraints(nullable=not field.required, unique=kind.key == (name,)),
        )
        for name, field in kind.fields.items()
    ]
    return {
        "dagster/column_schema": dg.TableSchema(columns=columns),
        "dagster/table_name": "core.erp_mes_data" if kind.dated else "core.master_record",
        "key": ", ".join(kind.key),
    }


def _column(column: Column) -> dg.TableColumn:
    unit = f" Unit: {column.unit}." if column.unit else ""
    return dg.TableColumn(
        name=column.name,
        type=column.type,
        description=f"{column.description}{unit}",
        constraints=dg.TableColumnConstraints(nullable=not column.not_null),
    )
