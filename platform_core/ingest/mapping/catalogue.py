"""Finding mappings: those that the package ships, and those of a tenant, which win."""

import re
from collections.abc import Iterator, Sequence
from collections.abc import Mapping as Dict
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from platform_core.ingest.mapping.compiling import compile_mapping
from platform_core.ingest.mapping.errors import MappingError, UnknownMappingError
from platform_core.ingest.mapping.expressions import ExpressionError, parse_expression
from platform_core.ingest.mapping.schema import FieldSpec, Mapping, digest_of
from platform_core.ingest.mapping.yaml_lines import line_of, read_text, read_yaml, validate
from platform_core.ingest.readers.headers import folded
from platform_core.ingest.readers.options import FileOptions, ReaderOptions
from platform_core.settings import Settings

SHIPPED = Path(__file__).parent.parent / "mappings"
_ADAPTER = TypeAdapter(Mapping)
_NAME = re.compile(r"[\w-][\w.-]*")


def load_mapping(path: Path) -> Mapping:
    """The mapping in a file, called by the file's name; raises MappingError that names the line."""
    return parse_mapping(read_text(path), name=path.stem, shown_as=str(path))


def parse_mapping(text: str, *, name: str, shown_as: str | None = None) -> Mapping:
    """A mapping out of YAML text; raises MappingError that names the line."""
    where = shown_as or name
    document, places = read_yaml(text, where)
    mapping = validate(document, _ADAPTER, where, places)
    mapping = mapping.model_copy(update={"name": name, "digest": digest_of(text)})
    for field, spec in mapping.fields.items():
        line = line_of(places, ("fields", field))
        _check_expression(spec, f"{where}, line {line}: the expression of {field}")
    try:
        compile_mapping(mapping, timezone="UTC")
    except ValueError as error:
        raise MappingError(f"{where}: a constant, default or value {error}.") from error
    return mapping


def _check_expression(spec: FieldSpec, where: str) -> None:
    for text in (spec.expression, spec.when):
        try:
            if text is not None:
                parse_expression(text)
        except ExpressionError as error:
            raise MappingError(f"{where} {error}.") from error


def mapping_folder(settings: Settings, tenant: str) -> Path:
    """Where a tenant (by slug) keeps mappings of its own."""
    return settings.home / "tenants" / tenant / "mappings"


def find_mapping(settings: Settings, tenant: str, name: str) -> Mapping:
    """The mapping of that name: the tenant's own, else the shipped one; raises UnknownMappingError, MappingError."""
    if _NAME.fullmatch(name):
        for folder in (mapping_folder(settings, tenant), SHIPPED):
            path = folder / f"{name}.yml"
            if path.is_file():
                return load_mapping(path)
    known = ", ".join(path.stem for path in _paths(settings, tenant))
    raise UnknownMappingError(f"There is no mapping `{name}`.", hint=f"There are: {known}.")


def list_mappings(settings: Settings, tenant: str) -> list[Mapping]:
    """All mappings a tenant can use, by name; raises MappingError for a broken one."""
    return [load_mapping(path) for path in _paths(settings, tenant)]


@dataclass(frozen=True)
class Usable:
    """The mappings a tenant can use, and the files among them that cannot be used, each with what is wrong with it."""

    mappings: tuple[Mapping, ...]
    broken: Dict[Path, MappingError]


def usable_mappings(settings: Settings, tenant: str) -> Usable:
    """All mappings a tenant can use; one that is broken stops none of the others."""
    mappings: list[Mapping] = []
    broken: dict[Path, MappingError] = {}
    for path in _paths(settings, tenant):
        try:
            mappings.append(load_mapping(path))
        except MappingError as error:
            broken[path] = error
    return Usable(tuple(mappings), broken)


def _paths(settings: Settings, tenant: str) -> list[Path]:
    found = {path.stem: path for folder in (SHIPPED, mapping_folder(settings, tenant)) for path in folder.glob("*.yml")}
    return [found[name] for name in sorted(found)]


def source_fields(mapping: Mapping) -> tuple[str, ...]:
    """The source fields that a mapping reads, each once, those of the payload first."""
    specs = [*mapping.fields.values(), mapping.version, mapping.business_date]
    names = [name for spec in specs if spec is not None for name in _fields_of(spec, mapping)]
    names += [name for name in mapping.key or () if name not in mapping.fields]
    names += [condition.field for condition in mapping.reader.leave_out]
    if isinstance(mapping.reader, FileOptions):
        names += mapping.reader.fill_down
    return tuple(dict.fromkeys(names))


def _fields_of(spec: FieldSpec, mapping: Mapping) -> Iterator[str]:
    yield from spec.from_ or ()
    yield from spec.join or ()
    yield from spec.columns or ()
    if spec.unit_from:
        yield spec.unit_from
    if spec.text_list:
        yield spec.text_list.from_
    if spec.items:
        yield spec.items.from_
    own = {name for name, other in mapping.fields.items() if other is spec}
    for text in (spec.expression, spec.when):
        for name in parse_expression(text).names if text else ():
            if name not in mapping.fields or name in own:
                yield name


def reader_options(mapping: Mapping) -> ReaderOptions:
    """The mapping's reader options, with the names by which a reader finds the header row."""
    return mapping.reader.model_copy(update={"expected": source_fields(mapping)})


def header_score(mapping: Mapping, headers: Sequence[str]) -> float:
    """How well a mapping fits the columns of a file, 0 to 1; 0 when a required field would have no column.

    Two thirds of it is the share of the mapping's fields that have a column, one third the share of the file's columns
    that the mapping reads.
    """
    present = {folded(name) for name in headers}
    present |= {folded(name.rsplit(" ", 1)[-1]) for name in headers if " " in name}
    if not present or not isinstance(mapping.reader, FileOptions):
        return 0.0
    for name, field in mapping.kind.fields.items():
        spec = mapping.fields.get(name)
        if field.required and spec is not None and not _served(spec, mapping, present):
            return 0.0
    if mapping.business_date is not None and not _served(mapping.business_date, mapping, present):
        return 0.0
    wanted = [spec for spec in mapping.fields.values() if any(True for _ in _fields_of(spec, mapping))]
    served = sum(_served(spec, mapping, present) for spec in wanted)
    read = {folded(name.split(".")[0]) for name in source_fields(mapping)}
    used = sum(folded(name) in read or folded(name.rsplit(" ", 1)[-1]) in read for name in headers)
    return round(2 / 3 * served / max(1, len(wanted)) + 1 / 3 * used / max(1, len(headers)), 4)


def _served(spec: FieldSpec, mapping: Mapping, present: set[str]) -> bool:
    """Whether a field can have a value with these columns."""
    if spec.default is not None:
        return True
    found = [folded(name) in present or folded(name.split(".")[0]) in present for name in _fields_of(spec, mapping)]
    if spec.join is not None:
        return found[0]
    if spec.expression is not None and any(name in mapping.fields for name in parse_expression(spec.expression).names):
        return True
    return not found or any(found)
