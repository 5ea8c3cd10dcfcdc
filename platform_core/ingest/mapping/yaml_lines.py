"""YAML for people: errors name the line, keys come once, and only true and false are booleans."""

import re
from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import Any, TypeVar, cast

import yaml
from pydantic import TypeAdapter, ValidationError

from platform_core.ingest.mapping.errors import MappingError

Model = TypeVar("Model")
Place = tuple[str, ...]


class _Loader(yaml.SafeLoader):
    """SafeLoader with the scalars of YAML 1.2: `no`, `on` and `2024-01-05` stay text, `true` does not."""

    places: dict[Place, int]


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":timestamp", ":bool", ":merge"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _first in "tTfF":
    _Loader.yaml_implicit_resolvers.setdefault(_first, []).append(
        ("tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"))
    )


def read_yaml(text: str, name: str) -> tuple[Any, dict[Place, int]]:
    """The document and the 1-based line of each place in it; raises MappingError with the line of a fault."""
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        places: dict[Place, int] = {(): 1}
        if node is None:
            return {}, places
        _note_places(node, (), places, name)
        return _construct(loader, node), places
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f", line {mark.line + 1}" if mark else ""
        raise MappingError(f"{name}{where}: {error.problem or error.context}.") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise MappingError(f"{name} is not YAML: {error}.") from error


def _construct(loader: _Loader, node: yaml.Node) -> Any:
    return cast("Any", loader.construct_document(node))  # pyright: ignore[reportUnknownMemberType]


def _note_places(node: yaml.Node, place: Place, places: dict[Place, int], name: str) -> None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*place, str(key.value))
            line = key.start_mark.line + 1
            if inner in places:
                raise MappingError(f"{name}, line {line}: `{key.value}` comes twice (first in line {places[inner]}).")
            places[inner] = line
            _note_places(value, inner, places, name)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            inner = (*place, str(index))
            places[inner] = item.start_mark.line + 1
            _note_places(item, inner, places, name)


def line_of(places: dict[Place, int], location: Iterable[Hashable]) -> int:
    """The line of the nearest place at or above a location as pydantic gives it."""
    place: Place = ()
    for part in location:
        # Pydantic also names the member of a union, which is no place in the file.
        if (*place, str(part)) in places:
            place = (*place, str(part))
    return places[place]


def parse_yaml(text: str, adapter: TypeAdapter[Model], name: str) -> tuple[Model, dict[Place, int]]:
    """A YAML text as a checked value; raises MappingError that lists each fault with its line."""
    document, places = read_yaml(text, name)
    return validate(document, adapter, name, places), places


def validate(document: Any, adapter: TypeAdapter[Model], name: str, places: dict[Place, int]) -> Model:
    """A loaded document as a checked value; raises MappingError that lists each fault with its line."""
    try:
        return adapter.validate_python(document)
    except ValidationError as error:
        faults = "; ".join(
            f"line {line_of(places, fault['loc'])}: {_said(fault['loc'], fault['type'], fault['msg'])}"
            for fault in error.errors()
        )
        raise MappingError(f"{name}, {faults}.") from error


def _said(location: tuple[int | str, ...], kind: str, message: str) -> str:
    last = location[-1] if location else "the file"
    if kind == "extra_forbidden":
        return f"unknown key `{last}`"
    if kind == "missing":
        return f"`{last}` is missing"
    return f"`{last}`: {message.removeprefix('Value error, ')}"


def read_text(path: Path) -> str:
    """The text of a YAML file; raises MappingError when it cannot be read as UTF-8."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise MappingError(f"{path} cannot be read: {error}.") from error
