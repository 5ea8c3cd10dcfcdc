"""CSV, TSV, JSON Lines and JSON arrays, as real systems write them."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from platform_core.ingest.contracts import Rejection, SourceRow
from platform_core.ingest.readers import FileOptions, UnreadableFileError, open_reader
from platform_core.ingest.readers.text import ByteSource, detect_encoding


def read(content: bytes | str, options: FileOptions | None = None) -> list[SourceRow | Rejection]:
    data = content.encode() if isinstance(content, str) else content
    [reader] = open_reader(io.BytesIO(data), options)
    return list(reader.rows())


def fields(rows: Sequence[SourceRow | Rejection]) -> list[dict[str, Any]]:
    return [dict(row.fields) for row in rows if isinstance(row, SourceRow)]


KOREAN = "라인,품번,수량\r\n1라인,브래킷 A,10\r\n2라인,커버,20\r\n"


@pytest.mark.parametrize(
    ("encoding", "found"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8-sig"),
        ("cp949", "cp949"),
        ("euc-kr", "cp949"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
        ("utf-32", "utf-32"),
    ],
)
def test_the_encoding_of_korean_text_is_found_by_itself(encoding: str, found: str) -> None:
    # Without a mark, UTF-16 is told by the many zero bytes of ASCII text.
    text = KOREAN if "-le" not in encoding and "-be" not in encoding else "line,product,qty\r\n1라인,P001,10\r\n" * 5
    data = text.encode(encoding)
    assert detect_encoding(ByteSource.of_stream(io.BytesIO(data), "x")) == found
    first = fields(read(data))[0]
    assert "1라인" in first.values()


def test_western_text_is_not_taken_for_korean() -> None:
    data = "Linie;Stück;Prüfer\r\nL1;5;Jörg Müller\r\nL2;6;Bärbel Groß\r\n".encode("cp1252")
    assert detect_encoding(ByteSource.of_stream(io.BytesIO(data), "x")) == "cp1252"
    assert fields(read(data))[1] == {"Linie": "L2", "Stück": "6", "Prüfer": "Bärbel Groß"}


def test_korean_text_late_in_a_long_file_still_decides_the_encoding() -> None:
    data = b"a,b\n" + b"1,%s\n" % (b"2" * 40) * 60_000 + "3,한글\n".encode("cp949")
    rows = fields(read(data))
    assert len(rows) == 60_001
    assert rows[-1] == {"a": "3", "b": "한글"}


def test_one_line_with_broken_bytes_is_rejected_and_the_rest_is_read() -> None:
    data = KOREAN.encode() + b"3\xff\xfe,x,1\r\n" + "4라인,끝,5\r\n".encode()
    rows = read(data)
    assert [type(row) for row in rows] == [SourceRow, SourceRow, Rejection, SourceRow]
    bad = rows[2]
    assert isinstance(bad, Rejection)
    assert (bad.number, bad.code, bad.text) == (4, "UNREADABLE", "3\\xff\\xfe,x,1")


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
def test_the_delimiter_is_found_by_itself(delimiter: str) -> None:
    lines = [["line", "note", "qty"], ["L1", "a b", "1,5" if delimiter != "," else "15"], ["L2", "c", "2"]]
    text = "\n".join(delimiter.join(line) for line in lines)
    assert fields(read(text))[0] == dict(zip(lines[0], lines[1], strict=True))


def test_embedded_newlines_keep_the_line_numbers_right() -> None:
    rows = read('id,note\n1,"two\nlines"\n\n2,"a ""quote"""\n3,x\n')
    assert [(row.number, dict(row.fields)["note"]) for row in rows if isinstance(row, SourceRow)] == [
        (2, "two\nlines"),
        (5, 'a "quote"'),
        (6, "x"),
    ]
    assert rows[0].text == '1,"two\nlines"\n'


def test_a_quote_that_never_closes_costs_one_line_and_not_the_file() -> None:
    text = "id,note\n" + '1,"open\n' + "".join(f"{n},ok\n" for n in range(2, 1000))
    rows = read(text)
    assert isinstance(rows[0], Rejection)
    assert rows[0].text == '1,"open'
    assert len(fields(rows)) == 998
    assert rows[-1].number == 1000


def test_a_row_with_too_few_or_too_many_cells_is_rejected_with_its_text() -> None:
    rows = read("a,b,c\n1,2\n1,2,3,4\n1,2,3,,\n1,2,3\n")
    assert [(row.number, row.text) for row in rows if isinstance(row, Rejection)] == [(2, "1,2"), (3, "1,2,3,4")]
    assert [row.number for row in rows if isinstance(row, SourceRow)] == [4, 5]


def test_short_rows_are_padded_where_the_options_say_so() -> None:
    assert fields(read("a,b,c\n1\n", FileOptions(ragged="pad"))) == [{"a": "1", "b": "", "c": ""}]


def test_titles_above_the_header_are_passed() -> None:
    text = "생산일보,,\n작성일: 2025-03-05,,\n\n라인,품번,수량\nL1,P1,3\n"
    assert fields(read(text)) == [{"라인": "L1", "품번": "P1", "수량": "3"}]
    rows = read(text, FileOptions(header_row=4))
    assert rows[0].number == 5


def test_names_the_mapping_reads_find_the_header_and_settle_its_spelling() -> None:
    text = "1,2,3\nx,y,z\n양품  수량,LINE,품 번\n7,L1,P1\n"
    assert fields(read(text, FileOptions(expected=("양품수량", "line", "품번")))) == [
        {"양품수량": "7", "line": "L1", "품번": "P1"}
    ]


def test_headers_of_a_mac_and_doubled_headers_get_usable_names() -> None:
    import unicodedata

    text = unicodedata.normalize("NFD", "라인") + ",qty,qty,\nL1,1,2,\n"
    assert fields(read(text)) == [{"라인": "L1", "qty": "1", "qty (2)": "2"}]


def test_files_without_header_with_fill_down_and_rows_left_out() -> None:
    options = FileOptions.model_validate(
        {
            "columns": ["line", "product", "qty"],
            "fill_down": ["line"],
            "leave_out": [{"field": "product", "values": ["합계"]}, {"field": "qty", "empty": True}],
        }
    )
    [reader] = open_reader(io.BytesIO("L1,P1,5\n,P2,6\nL1,합계,11\nL2,P3,\n".encode()), options)
    assert fields(list(reader.rows())) == [
        {"line": "L1", "product": "P1", "qty": "5"},
        {"line": "L1", "product": "P2", "qty": "6"},
    ]
    assert reader.left_out == 2


def test_a_broken_json_line_is_rejected_and_the_rest_goes_on() -> None:
    lines = [
        '{"a": 1}',
        '{"a": ',
        "[1]",
        "",
        '{"a": NaN}',
        '{"a": "\\u0000"}',
        '{"a": "\\ud800"}',
        '{"a": "\\ud83d\\ude00"}',
    ]
    rows = read("\n".join(lines))
    assert [(row.number, type(row) is SourceRow) for row in rows] == [
        (1, True), (2, False), (3, False), (5, False), (6, False), (7, False), (8, True),
    ]  # fmt: skip
    assert fields(rows)[-1] == {"a": "\U0001f600"}


def test_json_lines_whose_first_line_is_broken_are_still_lines() -> None:
    rows = read('{"a": 1, "b\n{"a": 2}\n{"a": 3}\n')
    assert isinstance(rows[0], Rejection)
    assert fields(rows) == [{"a": 2}, {"a": 3}]


@pytest.mark.parametrize("indent", [None, 2])
def test_json_arrays_are_read_at_the_top_and_under_a_path(indent: int | None) -> None:
    records = [{"a": n, "b": {"c": "한글"}} for n in range(3)]
    assert fields(read(json.dumps(records, indent=indent))) == records
    nested = json.dumps({"data": {"items": records}}, indent=indent)
    assert fields(read(nested, FileOptions(records="data.items"))) == records
    assert fields(read(json.dumps({"data": records, "total": 3}, indent=indent))) == records


def test_a_broken_element_of_an_array_costs_only_itself() -> None:
    rows = read('[{"a": 1}, {"a": oops, "x": [1, 2]}, {"a": 3}, 4]')
    assert fields(rows) == [{"a": 1}, {"a": 3}]
    assert [(row.number, row.text) for row in rows if isinstance(row, Rejection)] == [
        (2, '{"a": oops, "x": [1, 2]}'),
        (4, "4"),
    ]


def test_a_truncated_array_gives_what_is_whole_and_rejects_the_rest() -> None:
    rows = read('[{"a": 1}, {"a": 2}, {"a": ')
    assert fields(rows) == [{"a": 1}, {"a": 2}]
    assert isinstance(rows[2], Rejection)


def test_deeply_nested_json_is_a_rejection() -> None:
    rows = read('{"a": 1}\n{"a": ' + "[" * 100_000 + "\n")
    assert [type(row) for row in rows] == [SourceRow, Rejection]


def test_an_empty_file_has_no_rows_and_a_missing_one_is_an_error(tmp_path: Path) -> None:
    for content in (b"", b"\xef\xbb\xbf", b"\n\n", b"a,b\n"):
        assert read(content) == []
    with pytest.raises(UnreadableFileError, match="is not a file"):
        open_reader(tmp_path / "nothing.csv")
