"""Whatever bytes a file holds, reading it never fails and never loses a line."""

import io
import json
from contextlib import nullcontext
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from platform_core.ingest.contracts import Rejection, SourceRow
from platform_core.ingest.mapping import compile_mapping, load_mapping, reader_options
from platform_core.ingest.mapping.catalogue import SHIPPED
from platform_core.ingest.readers import FileOptions, ReaderError, open_reader
from platform_core.ingest.readers.opening import NO_TABLES

SAMPLES = Path(__file__).parent / "samples"
ODD_TEXT = st.text(alphabet='a1,;"\n\r\t|{}[]:\\ \x00가\ud55c\udc80é\u2028', max_size=300)
LIMIT = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def read(data: bytes, options: FileOptions | None = None) -> list[SourceRow | Rejection]:
    return [row for reader in open_reader(io.BytesIO(data), options) for row in reader.rows()]


def check_storable(rows: list[SourceRow | Rejection]) -> None:
    """Everything a reader gives can be kept in PostgreSQL."""
    for row in rows:
        texts = [row.text] if isinstance(row, Rejection) else [row.text, json.dumps(row.fields, default=str)]
        for text in texts:
            text.encode("utf-8")
            assert "\x00" not in text


@LIMIT
@given(st.binary(max_size=2000))
@example(b"\xff\xfe\x00")
@example(b'"' * 50)
@example(b"a,b\n" + b'"\n' * 500)
def test_random_bytes_are_rows_or_rejections(data: bytes) -> None:
    try:
        rows = read(data)
    except ReaderError:
        # Only what begins like a workbook, or like a file that is no table, may be refused as a whole.
        assert data.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0", *NO_TABLES))
        return
    check_storable(rows)


@LIMIT
@given(st.binary(max_size=2000), st.sampled_from(["csv", "json_lines", "json"]))
def test_random_bytes_read_as_any_text_format_never_fail(data: bytes, form: str) -> None:
    check_storable(read(data, FileOptions.model_validate({"format": form})))


@LIMIT
@given(ODD_TEXT)
def test_every_line_of_a_csv_belongs_to_one_row_or_rejection(text: str) -> None:
    data = b"h1,h2\n" + text.encode("utf-8", "surrogatepass")
    options = FileOptions(format="csv", columns=("h1", "h2"), encoding="utf-8", delimiter=",")
    rows = read(data, options)
    check_storable(rows)
    # All characters that are not blank come back in exactly one text.
    decoded = data.decode("utf-8", "surrogateescape")
    kept = "".join(row.text for row in rows)
    for sign in 'a1"{}가':
        if sign != "a" or "\udc80" not in decoded:
            assert kept.count(sign) >= sum(line.count(sign) for line in decoded.splitlines() if line.strip(', \t"'))
    numbers = [row.number for row in rows]
    assert numbers == sorted(set(numbers))


@LIMIT
@given(
    st.lists(st.one_of(st.just('{"a": 1}'), ODD_TEXT.filter(lambda t: "\n" not in t and "\r" not in t)), max_size=20)
)
def test_every_json_line_is_a_row_or_a_rejection(lines: list[str]) -> None:
    data = "\n".join(lines).encode("utf-8", "surrogatepass")
    rows = read(data, FileOptions(format="json_lines", encoding="utf-8"))
    check_storable(rows)
    decoded = data.decode("utf-8", "surrogateescape")
    assert len(rows) == sum(1 for line in decoded.split("\n") if line.strip())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(path.name for path in SAMPLES.iterdir() if path.suffix != ".sql")), st.data())
def test_truncated_and_overwritten_files_never_break_a_reader_or_a_mapping(name: str, data: st.DataObject) -> None:
    content = bytearray((SAMPLES / name).read_bytes())
    end = data.draw(st.integers(0, len(content)))
    del content[end:]
    for _ in range(data.draw(st.integers(0, 4))):
        if content:
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    mapping_path = SHIPPED / f"{name.split('.')[0]}.yml"
    mapping = load_mapping(mapping_path if mapping_path.exists() else SHIPPED / "takt_order.yml")
    options = reader_options(mapping)
    map_row = compile_mapping(mapping, timezone="Asia/Seoul")
    try:
        rows = read(bytes(content), options if isinstance(options, FileOptions) else None)
    except ReaderError:
        assert name.endswith(".xlsx")
        return
    check_storable(rows)
    for row in rows:
        if isinstance(row, SourceRow):
            json.dumps(getattr(map_row(row), "payload", {}), allow_nan=False)


@settings(max_examples=300, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.datetimes() | st.times(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=6,
    ),
    st.sampled_from(sorted(path.stem for path in SHIPPED.glob("*.yml"))),
)
def test_no_value_breaks_a_mapping(value: object, name: str) -> None:
    mapping = _MAPPINGS[name]
    from platform_core.ingest.mapping import source_fields

    fields = dict.fromkeys(source_fields(mapping), value)
    result = compile_mapping(mapping, timezone="Asia/Seoul")(SourceRow(1, fields, "x"))
    if not isinstance(result, Rejection):
        assert result.source_pk


_MAPPINGS = {path.stem: load_mapping(path) for path in SHIPPED.glob("*.yml")}


@pytest.mark.parametrize("size", [1, 7, 100, 1000])
def test_a_workbook_cut_off_is_refused_with_a_sentence(size: int) -> None:
    content = (SAMPLES / "korean_daily_production.xlsx").read_bytes()[:size]
    with pytest.raises(ReaderError, match="workbook") if size >= 7 else nullcontext():
        read(content)


@pytest.mark.parametrize(
    ("data", "rows"),
    [
        (b"a,b\n" + b'1,"x\n' * 20_000, 20_000),
        (b"a,b," + b"x" * 5_000_000, 0),
        (b"[" + b'{"a": oops},' * 20_000 + b"]", 20_000),
        (b"[" + b"{" * 200_000, 2),
        (b'["' + b'a\\"' * 100_000, 2),
        (b'{"a":\n' * 20_000, 20_000),
    ],
    ids=["open quotes", "one long line", "broken elements", "open brackets", "an open string", "open lines"],
)
@pytest.mark.timeout(20)
def test_hostile_files_take_no_more_time_than_their_size(data: bytes, rows: int) -> None:
    assert len(read(data, FileOptions.model_validate({"format": "json_lines"}) if data[:1] == b"{" else None)) >= rows
