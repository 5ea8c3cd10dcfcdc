"""Every mapping that the package ships, against a sample in the field names of its source."""

import json
from pathlib import Path
from typing import Any

import pytest

from platform_core.ingest.contracts import MappedRecord, SourceRow
from platform_core.ingest.mapping import (
    Mapping,
    compile_mapping,
    header_score,
    load_mapping,
    reader_options,
)
from platform_core.ingest.mapping.catalogue import SHIPPED
from platform_core.ingest.readers import FileOptions, open_reader
from platform_core.ingest.validation import Validator

SAMPLES = Path(__file__).parent / "samples"
NAMES = sorted(path.stem for path in SHIPPED.glob("*.yml"))
EXPECTED: dict[str, Any] = json.loads((SAMPLES / "expected.json").read_text("utf-8"))


def sample(name: str) -> Path:
    return next(path for path in SAMPLES.glob(f"{name}.*"))


def options(mapping: Mapping) -> FileOptions:
    # The answers of a service are kept as files here; test_readers_rest reads them over HTTP.
    found = reader_options(mapping)
    return found if isinstance(found, FileOptions) else FileOptions(records="data", expected=found.expected)


def as_dict(record: MappedRecord) -> dict[str, Any]:
    return {
        "number": record.number,
        "source_pk": record.source_pk,
        "source_version": record.source_version,
        "business_date": record.business_date.isoformat() if record.business_date else None,
        "payload": record.payload,
    }


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("odoo")])
def test_a_sample_gives_exactly_these_records(name: str) -> None:
    mapping = load_mapping(SHIPPED / f"{name}.yml")
    map_row = compile_mapping(mapping, timezone="Asia/Seoul")
    [reader] = open_reader(sample(name), options(mapping))
    records: list[dict[str, Any]] = []
    for row in reader.rows():
        assert isinstance(row, SourceRow)
        record = map_row(row)
        assert isinstance(record, MappedRecord)
        Validator(mapping.kind).write(record.payload)
        assert row.text
        records.append(as_dict(record))
    assert {"records": records, "left_out": reader.left_out} == EXPECTED[name]


@pytest.mark.parametrize("name", NAMES)
def test_a_mapping_says_what_it_is_for(name: str) -> None:
    mapping = load_mapping(SHIPPED / f"{name}.yml")
    assert mapping.name == name
    assert len(mapping.digest) == 64
    assert mapping.description.endswith(".")


@pytest.mark.parametrize("path", sorted(p for p in SAMPLES.iterdir() if p.suffix in (".csv", ".jsonl", ".xlsx")))
def test_headers_choose_the_right_mapping(path: Path) -> None:
    mappings = [load_mapping(SHIPPED / f"{name}.yml") for name in NAMES]
    [reader] = [r for r in open_reader(path) if "표지" not in r.name]
    scores = sorted(((header_score(mapping, reader.headers()), mapping.name) for mapping in mappings), reverse=True)
    assert scores[0][1] == path.stem
    assert scores[0][0] > 0.4
    assert scores[0][0] - scores[1][0] > 0.1


def test_headers_of_something_else_choose_nothing() -> None:
    mappings = [load_mapping(SHIPPED / f"{name}.yml") for name in NAMES]
    assert all(header_score(mapping, ["이름", "주소", "전화"]) == 0 for mapping in mappings)
    assert all(header_score(mapping, []) == 0 for mapping in mappings)
