"""docs/mappings.md names every key, function and shipped mapping."""

from pathlib import Path

import pytest
from pydantic import BaseModel

from platform_core.ingest.mapping import parse_mapping
from platform_core.ingest.mapping.catalogue import SHIPPED
from platform_core.ingest.mapping.functions import FUNCTIONS
from platform_core.ingest.mapping.schema import FieldSpec, Mapping, TextList
from platform_core.ingest.readers import options
from platform_core.ingest.sources import SourceFile

PAGE = (Path(__file__).parents[2] / "docs" / "mappings.md").read_text("utf-8")
MODELS: list[type[BaseModel]] = [Mapping, FieldSpec, TextList, SourceFile] + [
    found for found in vars(options).values() if isinstance(found, type) and issubclass(found, options.Strict)
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_key_is_explained(model: type[BaseModel]) -> None:
    for name, field in model.model_fields.items():
        assert (field.alias or name) in PAGE or field.exclude, name


@pytest.mark.parametrize("name", [*FUNCTIONS, *(path.stem for path in SHIPPED.glob("*.yml"))])
def test_every_function_and_mapping_is_named(name: str) -> None:
    assert f"`{name}`" in PAGE
    if name in FUNCTIONS:
        assert FUNCTIONS[name].meaning in PAGE


def test_the_example_is_a_mapping() -> None:
    example = PAGE.split("```yaml\n")[1].split("```")[0]
    assert parse_mapping(example, name="example").record_type == "work_order"
