"""Reads dbt_like_sql/metrics/*.yml; every complaint names the file and the line, all of them in one go."""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, cast

import yaml
from pydantic import BaseModel, ValidationError

from dbt_like_sql.contracts_file import Loader, Where, line_of, repeated_keys
from dbt_like_sql.project import Project, load_project
from dbt_like_sql.semantics.contracts import (
    Dataset,
    Dimension,
    Entity,
    Measure,
    Metric,
    MetricsFile,
    Reading,
    Source,
    Text,
)
from dbt_like_sql.semantics.errors import MetricDefinitionError
from dbt_like_sql.semantics.model import SemanticModel
from dbt_like_sql.semantics.validation import complaints

METRICS = Path(__file__).parents[1] / "metrics"
"""The definitions that the package ships."""

_KINDS = ("datasets", "entities", "dimensions", "measures", "metrics")
_OWNERS: Mapping[str, type[BaseModel]] = {
    "datasets": Dataset,
    "entities": Entity,
    "dimensions": Dimension,
    "measures": Measure,
    "metrics": Metric,
}
_INNER: Mapping[str, type[BaseModel]] = {"sources": Source, "label": Text, "description": Text}


def load_semantics(project: Project, root: Path | None = None) -> SemanticModel:
    """The semantic model of a folder (default: the packaged one), checked against the models.

    Raises MetricDefinitionError with everything that is wrong, each complaint on a line of its own.
    """
    folder = root or METRICS
    if not folder.is_dir():
        raise MetricDefinitionError(f"{folder} is not a folder of metrics.")
    texts = {str(path): path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.yml"))}
    return read_semantics(project, texts)


@cache
def packaged_semantics() -> SemanticModel:
    """The semantic model that the package ships, over the models that it ships; read once."""
    return load_semantics(load_project())


def read_semantics(project: Project, texts: Mapping[str, str], base: SemanticModel | None = None) -> SemanticModel:
    """The semantic model of texts by file name, on top of `base` where given; raises MetricDefinitionError."""
    parts: dict[str, dict[str, Any]] = {kind: dict(getattr(base, kind)) if base else {} for kind in _KINDS}
    places: dict[tuple[str, str], str] = dict(base.places) if base else {}
    wrong: list[str] = []
    for file, text in texts.items():
        try:
            root, content = _read(file, text)
        except MetricDefinitionError as error:
            wrong.append(str(error))
            continue
        for kind, number, item in _items(content):
            place = f"{file}:{line_of(root, (kind, number))}"
            if item.name in parts[kind]:
                wrong.append(f"{place}: {item.name!r} of {kind} is defined already at {places[(kind, item.name)]}.")
                continue
            parts[kind][item.name] = item
            places[(kind, item.name)] = place
    if wrong:
        raise MetricDefinitionError("\n".join(wrong))
    model = SemanticModel(project, places=places, **parts)
    if wrong := complaints(model):
        raise MetricDefinitionError("\n".join(wrong))
    return model


def _items(content: MetricsFile) -> Iterator[tuple[str, int, Any]]:
    for kind in _KINDS:
        items: Sequence[Any] = getattr(content, kind)
        yield from ((kind, number, item) for number, item in enumerate(items))


def _read(file: str, text: str) -> tuple[yaml.Node, MetricsFile]:
    try:
        root = cast("yaml.Node | None", yaml.compose(text, Loader=Loader))  # pyright: ignore[reportUnknownMemberType]
        document = yaml.load(text, Loader=Loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise MetricDefinitionError(f"{file}:{line}: not readable as YAML: {error.problem}.") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise MetricDefinitionError(f"{file}:1: not readable as YAML.") from error
    if root is None:
        raise MetricDefinitionError(f"{file}:1: the file is empty.")
    if twice := [f"{file}:{line}: the key {key!r} is written twice." for key, line in repeated_keys(root)]:
        raise MetricDefinitionError("\n".join(twice))
    try:
        return root, MetricsFile.model_validate(document)
    except ValidationError as error:
        found = [_complaint(file, root, detail["loc"], detail["type"], detail["msg"]) for detail in error.errors()]
        raise MetricDefinitionError("\n".join(found)) from error


def _complaint(file: str, root: yaml.Node, where: Where, kind: str, message: str) -> str:
    line = line_of(root, where)
    if kind == "extra_forbidden":
        name, known = str(where[-1]), _known_keys(where)
        close = get_close_matches(name, known, n=1)
        advice = f"did you mean {close[0]!r}?" if close else f"known here: {', '.join(known)}."
        return f"{file}:{line}: unknown key {name!r}; {advice}"
    if kind == "missing":
        return f"{file}:{line}: the key {str(where[-1])!r} is missing."
    name = f"{where[-1]}: " if where and isinstance(where[-1], str) else ""
    return f"{file}:{line}: {name}{message.removeprefix('Value error, ')}"


def _known_keys(where: Where) -> list[str]:
    owner: type[BaseModel] = MetricsFile
    if len(where) > 2:
        owner = _OWNERS.get(str(where[0]), MetricsFile)
        for part in where[2:-1]:
            owner = _INNER.get(str(part), owner)
            if part == "measures":
                owner = Reading
    return [field.alias or name for name, field in owner.model_fields.items()]
