"""Reads a model's .yml into its contract; every complaint names the file, the line and the key."""

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import cast

import yaml
from pydantic import BaseModel, ValidationError

from dbt_like_sql.contracts import Check, Column, ModelSpec
from dbt_like_sql.errors import ModelError

Loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C one is ten times as fast
Where = tuple[int | str, ...]


def read_spec(path: Path) -> ModelSpec:
    """The contract in `path`; raises ModelError with one line for each thing that is wrong with it."""
    text = path.read_text(encoding="utf-8")
    try:
        root = cast("yaml.Node | None", yaml.compose(text, Loader=Loader))  # pyright: ignore[reportUnknownMemberType]
        document = yaml.load(text, Loader=Loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ModelError(f"{path}:{line}: not readable as YAML: {error.problem}.") from error
    if root is None:
        raise ModelError(f"{path}:1: the contract is empty.", hint="It needs description, owner, grain and columns.")
    if twice := [f"{path}:{line}: the key {key!r} is written twice." for key, line in repeated_keys(root)]:
        raise ModelError("\n".join(twice), hint="YAML would keep only the last one; remove the other.")
    try:
        return ModelSpec.model_validate(document)
    except ValidationError as error:
        complaints = [_complaint(path, root, detail["loc"], detail["type"], detail["msg"]) for detail in error.errors()]
        raise ModelError("\n".join(complaints)) from error


def _complaint(path: Path, root: yaml.Node, where: Where, kind: str, message: str) -> str:
    line = line_of(root, where)
    dotted = ".".join(str(part) for part in where)
    if kind == "extra_forbidden":
        known = _known_keys(where)
        close = get_close_matches(str(where[-1]), known, n=1)
        advice = f"did you mean {close[0]!r}?" if close else f"known here: {', '.join(known)}."
        return f"{path}:{line}: unknown key {str(where[-1])!r} at {dotted}; {advice}"
    if kind == "missing":
        return f"{path}:{line}: the key {str(where[-1])!r} is missing at {dotted}."
    return f"{path}:{line}: {dotted}: {message.removeprefix('Value error, ')}" if where else f"{path}:{line}: {message}"


def _known_keys(where: Where) -> Sequence[str]:
    owner: type[BaseModel] = {"columns": Column, "checks": Check}.get(str(where[0]), ModelSpec)
    return list((owner if len(where) > 1 else ModelSpec).model_fields)


def line_of(node: yaml.Node, where: Where) -> int:
    """The 1-based line of the key or item at `where`, or of the nearest thing around it that exists."""
    line = node.start_mark.line + 1
    for part in where:
        if isinstance(node, yaml.MappingNode):
            pair = next(((key, value) for key, value in node.value if key.value == str(part)), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line


def repeated_keys(node: yaml.Node) -> Iterator[tuple[str, int]]:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                yield key.value, key.start_mark.line + 1
            seen.add(key.value)
            yield from repeated_keys(value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from repeated_keys(item)
