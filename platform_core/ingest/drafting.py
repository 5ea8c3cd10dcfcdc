"""A proposed mapping while it is put together, and its text."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from platform_core.ingest.mapping.origins import plain_label
from platform_core.ingest.record_types import RecordType
from platform_core.ingest.synonyms import vocabulary


@dataclass
class Draft:
    """The parts of a mapping while they are found."""

    lines: dict[str, str] = field(default_factory=dict[str, str])
    comments: dict[str, str] = field(default_factory=dict[str, str])
    used: set[str] = field(default_factory=set[str])
    business_date: str | None = None
    totals: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    decimal: str = "."


def values_text(target: str, texts: Iterable[str]) -> str:
    """`values` for those of the texts that are known by another name; empty where there is none."""
    known = {plain_label(text): value for text, value in vocabulary().values.get(target, {}).items()}
    found = {text: known[plain_label(text)] for text in dict.fromkeys(texts) if plain_label(text) in known}
    pairs = ", ".join(f"{quoted(text)}: {value}" for text, value in found.items() if text != value)
    return f", values: {{{pairs}}}" if pairs else ""


def quoted(text: str) -> str:
    """A text as YAML writes it, in quotes only where it needs them."""
    plain = re.fullmatch(r"[\w가-힣][\w가-힣 ]*", text) and not re.fullmatch(r"[\d_.]+|true|false|null|~", text, re.I)
    return text if plain and text == text.strip() else json.dumps(text, ensure_ascii=False)


def draft_text(kind: RecordType, draft: Draft, unused: Iterable[str], name: str) -> str:
    """The mapping's YAML, with a comment for each field."""
    system = re.sub(r"[^\w-]+", "_", name) or "files"
    lines = [
        "# Proposed from the headers and the first rows. Check each field; the figure says how sure the proposal is.",
        "# docs/mappings.md explains every key.",
        f"description: {quoted(f'{kind.name} of {name}')}",
        f"source_system: {quoted(system)}",
        f"record_type: {kind.name}",
    ]
    if draft.business_date:
        lines.append(f"business_date: {quoted(draft.business_date)}")
    if draft.decimal != ".":
        lines.append(f'numbers: {{decimal: "{draft.decimal}"}}')
    if draft.totals:
        lines += ["reader:", "  leave_out:  # rows of totals"]
        lines += [
            f"    - {{field: {quoted(column)}, values: [{', '.join(map(quoted, words))}]}}"
            for column, words in draft.totals.items()
        ]
    left = [quoted(column) for column in unused if column]
    if left:
        lines.append(f"ignored: [{', '.join(left)}]  # columns that are not used")
    lines.append("fields:")
    for target in kind.fields:
        if target in draft.lines:
            comment = " ".join(draft.comments.get(target, "").split())
            lines.append(f"  {target}: {draft.lines[target]}  # {comment}")
    return "\n".join(lines) + "\n"
