"""A tenant's configured sources."""

from datetime import date
from pathlib import Path

import pytest

from platform_core.ingest.contracts import SourceRow
from platform_core.ingest.mapping import MappingError
from platform_core.ingest.readers import FileOptions, RestOptions, SourceConfigError
from platform_core.ingest.readers.rest import RestReader
from platform_core.ingest.sources import (
    NoDatesError,
    UnknownSourceError,
    find_source,
    list_sources,
    open_source,
    source_files,
)
from platform_core.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "tenants" / "acme" / "sources").mkdir(parents=True)
    return Settings(home=tmp_path)


def write(settings: Settings, name: str, text: str) -> None:
    (settings.home / "tenants" / "acme" / "sources" / f"{name}.yml").write_text(text, encoding="utf-8")


def test_a_source_is_laid_over_its_mapping(settings: Settings) -> None:
    write(
        settings,
        "erp",
        "description: The ERP\nmapping: erpnext_job_card\nreader:\n  url: https://erp.example\n"
        "  auth: {type: bearer, token: '${ERP_TOKEN}', scheme: token}\n  paging: {size: 50}\n",
    )
    source = find_source(settings, "acme", "erp")
    assert source.incremental
    assert isinstance(source.options, RestOptions)
    assert source.options.url == "https://erp.example"
    assert source.options.path == "/api/resource/Job Card"
    assert source.options.paging is not None
    assert (source.options.paging.style, getattr(source.options.paging, "size", 0)) == ("offset", 50)
    assert [one.name for one in open_source(source)] == ["erp.example/api/resource/Job Card"]
    assert list_sources(settings, "acme") == [source]
    assert list_sources(settings, "other") == []


def test_a_source_of_files_finds_them_by_folder_and_pattern(settings: Settings, tmp_path: Path) -> None:
    drop = tmp_path / "drop"
    drop.mkdir()
    for name in ("b.csv", "a.csv", "c.txt", ".hidden", "~$lock.xlsx"):
        (drop / name).write_text("라인코드,품목코드\n", encoding="utf-8")
    write(settings, "mes", f"mapping: mes_work_order_csv_ko\npath: {drop}/*.csv\nreader: {{encoding: utf-8}}\n")
    source = find_source(settings, "acme", "mes")
    assert isinstance(source.options, FileOptions)
    assert source.options.encoding == "utf-8"
    assert [path.name for path in source_files(source)] == ["a.csv", "b.csv"]
    assert [row for reader in open_source(source) for row in reader.rows() if isinstance(row, SourceRow)] == []
    write(settings, "all", f"mapping: mes_work_order_csv_ko\npath: {drop}\n")
    assert len(source_files(find_source(settings, "acme", "all"))) == 3
    write(settings, "none", f"mapping: mes_work_order_csv_ko\npath: {drop}/*.xml\n")
    with pytest.raises(SourceConfigError, match="finds no file"):
        source_files(find_source(settings, "acme", "none"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mapping: takt_order\npath: /x\ncolour: red\n", "line 3: unknown key `colour`"),
        ("mapping: erpnext_job_card\nreader:\n  url: x\n  retrys: 3\n", "line 4: unknown key `retrys`"),
        ("mapping: takt_order\n", "needs `path`"),
        ("mapping: nothing\n", "no mapping `nothing`"),
    ],
)
def test_a_fault_is_told_with_its_line(settings: Settings, text: str, message: str) -> None:
    write(settings, "bad", text)
    with pytest.raises(MappingError, match=message):
        find_source(settings, "acme", "bad")


def test_an_unknown_source_is_told_with_those_that_exist(settings: Settings) -> None:
    write(settings, "one", "mapping: takt_order\npath: /x\n")
    for name in ("two", "../sources/one", ""):
        with pytest.raises(UnknownSourceError, match="There are: one"):
            find_source(settings, "acme", name)


def test_a_service_is_asked_for_dates_and_nothing_else(settings: Settings) -> None:
    write(settings, "erp", "mapping: erpnext_downtime_entry\nreader: {url: 'https://erp.example'}\n")
    source = find_source(settings, "acme", "erp")
    assert source.has_dates
    (reader,) = open_source(source, watermark="2026-01-01", dates=(date(2026, 3, 5), date(2026, 3, 6)))
    assert isinstance(reader, RestReader)
    # A day more on either side, for night shifts and other zones.
    filters = '[["from_time", ">=", "2026-03-04"], ["from_time", "<", "2026-03-08"]]'
    assert reader.params() == {"fields": '["*"]', "order_by": "modified asc", "filters": filters}
    write(
        settings,
        "exact",
        "mapping: takt_order\nreader:\n  type: rest\n  url: https://erp.example\n"
        "  dates: {type: date, params: {since: '{from}', until: '{to}'}}\n",
    )
    (reader,) = open_source(find_source(settings, "acme", "exact"), dates=(date(2026, 3, 5), date(2026, 3, 6)))
    assert isinstance(reader, RestReader)
    assert reader.params() == {"since": "2026-03-05", "until": "2026-03-06"}


def test_files_are_chosen_by_the_date_in_their_path(settings: Settings, tmp_path: Path) -> None:
    for day in ("20260304", "20260305", "20260306", "20260307"):
        (tmp_path / f"mes_{day}.csv").write_text("a\n1\n")
    write(settings, "mes", f"mapping: takt_order\npath: {tmp_path}/mes_{{date:%Y%m%d}}.csv\n")
    source = find_source(settings, "acme", "mes")
    chosen = source_files(source, (date(2026, 3, 5), date(2026, 3, 6)))
    assert [path.name for path in chosen] == ["mes_20260305.csv", "mes_20260306.csv"]
    assert len(source_files(source)) == 4
    with pytest.raises(SourceConfigError, match=r"mes_20270101\.csv"):
        source_files(source, (date(2027, 1, 1), date(2027, 1, 1)))


def test_a_source_that_names_no_date_says_so(settings: Settings, tmp_path: Path) -> None:
    write(settings, "all", f"mapping: takt_order\npath: {tmp_path}/*.csv\n")
    write(settings, "db", "mapping: takt_order\nreader: {type: sql, url: 'sqlite://', table: orders}\n")
    for name in ("all", "db"):
        source = find_source(settings, "acme", name)
        assert not source.has_dates
        with pytest.raises(NoDatesError, match=f"The source {name} cannot be asked for dates"):
            open_source(source, dates=(date(2026, 3, 5), date(2026, 3, 5)))
