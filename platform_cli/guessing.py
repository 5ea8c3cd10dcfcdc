"""`takt ingest FILE --guess`: a mapping proposed, written and shown."""

import json
import re
from pathlib import Path
from typing import Any

import typer

from platform_core.ingest.errors import NoMappingError
from platform_core.ingest.guess import LEAST, Guess, guess_reader
from platform_core.ingest.mapping import MappingError, parse_mapping
from platform_core.ingest.mapping.catalogue import mapping_folder
from platform_core.ingest.readers import open_reader
from platform_core.ingest.record_types import RECORD_TYPES
from platform_core.settings import Settings


def guess_file(settings: Settings, slug: str, path: Path, *, as_json: bool) -> None:
    """Propose a mapping for a file, write it where the tenant's mappings are, and show it."""
    name = re.sub(r"[^\w-]+", "_", path.stem).strip("_") or "proposed"
    sheets = {reader.name: guess_reader(reader, name=name) for reader in open_reader(path)}
    chosen = max(sheets, key=lambda sheet: _worth(sheets[sheet]), default=None)
    guessed = sheets.pop(chosen) if chosen is not None else None
    if guessed is None or not guessed.proposals:
        raise NoMappingError(
            f"Nothing in {path.name} looks like a field that Takt knows.",
            hint="It may be empty, no table, or a table without a header row. docs/mappings.md explains the YAML.",
        )
    folder = mapping_folder(settings, slug)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        parse_mapping(guessed.yaml, name=name)
        target = _unused(folder / f"{name}.yml")
    except MappingError:
        # A broken mapping among the good ones would stop every other file.
        target = _unused(folder / f"{name}.yml.draft")
    target.write_text(guessed.yaml, encoding="utf-8")
    if as_json:
        others = [
            {"name": sheet, "record_type": other.record_type, "confidence": other.confidence}
            for sheet, other in sheets.items()
        ]
        typer.echo(json.dumps(_as_json(guessed, target) | {"sheet": chosen, "others": others}, ensure_ascii=False))
    else:
        if sheets:
            typer.echo(f"Read: {chosen}. Every sheet was looked at; this mapping is not for:")
        for sheet, other in sheets.items():
            typer.echo(f"  {sheet}  (looks like {other.record_type}, {other.confidence:.0%} sure)")
        _show(guessed, path, target, slug)


def _worth(guessed: Guess) -> tuple[bool, float]:
    """Which sheet to propose for: records of what happened before lists of codes, then the surer one."""
    dated = RECORD_TYPES[guessed.record_type].dated
    return dated and guessed.confidence >= LEAST, guessed.confidence


def _as_json(guessed: Guess, target: Path) -> dict[str, Any]:
    return {
        "record_type": guessed.record_type,
        "confidence": guessed.confidence,
        "fields": [
            {"field": one.field, "column": one.column, "confidence": one.confidence, "why": one.why}
            for one in guessed.proposals
        ],
        "derived": [
            {"field": one.field, "mapping": one.column, "confidence": one.confidence, "why": one.why}
            for one in guessed.derived
        ],
        "missing": list(guessed.missing),
        "unused": list(guessed.unused),
        "written": str(target),
    }


def _show(guessed: Guess, path: Path, target: Path, slug: str) -> None:
    typer.echo(f"{path.name} looks like {guessed.record_type} ({guessed.confidence:.0%} sure).")
    built = {one.field for one in guessed.derived}
    width = max((len(one.field) for one in (*guessed.proposals, *guessed.derived)), default=0)
    for one in guessed.proposals:
        if one.field not in built:
            typer.echo(f"  {one.field:<{width}}  {one.confidence:4.0%}  {one.column}  ({one.why})")
    if guessed.derived:
        typer.echo("Built of several columns, computed or assumed; check these first:")
    for one in guessed.derived:
        typer.echo(f"  {one.field:<{width}}  {one.confidence:4.0%}  {one.column}  ({one.why})")
    if guessed.missing:
        typer.echo(f"Required and not found: {', '.join(guessed.missing)}.")
    if guessed.unused:
        typer.echo(f"Columns not used: {', '.join(guessed.unused)}.")
    typer.echo(f"Written to {target}. Correct it, then:")
    if target.suffix == ".draft":
        typer.echo(f"  mv '{target}' '{target.with_suffix('')}'")
    used = target.name.split(".")[0]
    typer.echo(f"  takt ingest {path} --mapping {used}{'' if slug == 'default' else f' --tenant {slug}'}")


def _unused(path: Path) -> Path:
    """The path itself, or with a number when a file is there that someone may have corrected."""
    stem, _, suffix = path.name.partition(".")
    number, free = 2, path
    while free.exists():
        free = path.with_name(f"{stem}_{number}.{suffix}")
        number += 1
    return free
