"""kill -9 at every moment of a publication: readers see whole dates, and a retry ends where no crash would have."""

from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from platform_core.settings import Settings
from platform_core.warehouse import archive
from platform_core.warehouse.connection import autocommit
from platform_core.warehouse.ddl import apply_project
from platform_core.warehouse.maintenance import maintain
from platform_core.warehouse.publish import build
from tests.conftest import Server
from tests.crashing import run_cases
from tests.warehouse.small import FACT, LINES, MART, NOW, STAGING, SmallFactory, day
from tests.warehouse.test_ddl import apply, edit

DAYS = (day(4), day(5), day(6))
BUILDS = {
    "build": (
        f"publish.after_candidate@{STAGING}",
        f"publish.after_audit@{STAGING}",
        f"publish.before_states@{STAGING}",
        f"publish.before_commit@{STAGING}#2",
        f"checks.before_commit@{STAGING}",
        f"publish.after_audit@{FACT}",
        f"publish.before_commit@{FACT}",
        f"publish.after_commit@{FACT}#2",
        f"checks.after_commit@{FACT}",
        f"publish.before_commit@{LINES}",
        f"publish.after_commit@{LINES}",
        f"mart.before_refresh@{MART}",
        f"mart.after_refresh@{MART}",
        f"mart.before_commit@{MART}",
        f"mart.after_commit@{MART}",
        f"checks.before_commit@{MART}",
    ),
    "exchange": (f"exchange.before_commit@{FACT}", f"exchange.after_commit@{FACT}"),
    "beside": (f"beside.before_commit@{FACT}", f"beside.after_commit@{FACT}"),
}
CONNECTED = """
select pg_terminate_backend(pid) from pg_stat_activity
where datname = current_database() and backend_type = 'client backend' and pid <> %s
"""


def records(factory: SmallFactory) -> None:
    """Three published days, and then late rows, one of them broken, of lines of which one has another name."""
    factory.line("L1")
    for number in (4, 5, 6):
        factory.land(day(number), f"a{number}", 10)
    factory.build(*DAYS)
    for number in (4, 5, 6):
        factory.land(day(number), f"late{number}", 100, good_qty=101 if number == 5 else 1)
        factory.land(day(number), f"other{number}", 7, tenant=factory.other)
    factory.line("L1", name="Press")


@contextmanager
def copies(factory: SmallFactory, server: Server, points: Iterable[str]) -> Generator[Mapping[str, SmallFactory]]:
    """For each point a copy of the factory's database."""
    database = factory.warehouse.owner_url.rpartition("/")[2]
    names = {point: f"{database}_{number}" for number, point in enumerate(points)}
    with autocommit(factory.warehouse) as conn:  # a template must have no visitors, and the audit keeps some
        conn.execute(CONNECTED, [conn.info.backend_pid])
    try:
        for name in names.values():
            replace(server, template=database).clone(name)
        yield {point: replace(factory, warehouse=server.warehouse(name, name)) for point, name in names.items()}
    finally:
        for name in names.values():
            server.drop(name)


def url(factory: SmallFactory) -> str:
    return factory.warehouse.owner_url


@pytest.mark.parametrize("work", BUILDS)
def test_a_publication_killed_anywhere_and_run_again_equals_an_undisturbed_one(
    factory: SmallFactory, server: Server, settings: Settings, work: str
) -> None:
    records(factory)
    dates = ",".join(when.isoformat() for when in DAYS)
    with copies(factory, server, BUILDS[work]) as killed:
        run_cases(work, [{"at": point, "url": url(one), "dates": dates} for point, one in killed.items()])
        factory.build(*DAYS, run_id="undisturbed")
        undisturbed = factory.snapshot()
        for point, one in killed.items():
            seen = one.rows(
                f"select sum(total_qty)::int, count(*)::int from {STAGING} where tenant_id = %s group by date",
                [one.tenant],
            )
            assert set(seen) <= {(10, 1), (110, 2)}, point
            one.build(*DAYS, run_id="retry")
            assert one.snapshot() == undisturbed, point
            maintain(one.warehouse, settings, one.project, NOW.date())
            assert one.scratch() == [], point


def test_a_new_form_of_a_mart_killed_on_the_way_leaves_the_old_one_until_the_next_run(
    factory: SmallFactory, server: Server, models: Path
) -> None:
    records(factory)
    factory.build(*DAYS)
    old = factory.rows(f"select * from {MART} order by 1, 2")
    edit(models, "marts/mv_line.sql", ("sum(production.total_qty)", "sum(production.total_qty) * 2"))
    with copies(factory, server, ["mart.before_swap", "mart.after_swap"]) as killed:
        run_cases("swap", [{"at": point, "url": url(one), "models": str(models)} for point, one in killed.items()])
        apply(factory, models)
        factory.build(*DAYS)
        undisturbed = factory.snapshot()
        assert undisturbed[MART] != sorted(map(str, old))
        for one in killed.values():
            assert one.rows(f"select * from {MART} order by 1, 2") == old
            assert apply_project(one.warehouse, factory.project) != ()
            build(one.warehouse, factory.project, DAYS, now=NOW, run_id="retry")
            assert one.snapshot() == undisturbed


def archived(factory: SmallFactory) -> Mapping[str, list[str]]:
    """What sealing and attaching change, beside what is published."""
    queries = {
        "raw": "select source_pk, business_date, raw_data, is_current from core.erp_mes_data",
        "staging": f"select * from {STAGING}",
        "sealed": "select first_date, last_date, attached_at is null from core.archived_partition",
    }
    return {name: sorted(map(str, factory.rows(query))) for name, query in queries.items()}


def test_a_month_killed_while_it_is_sealed_or_attached_is_whole_in_one_place(
    factory: SmallFactory, server: Server, tmp_path: Path
) -> None:
    home = Settings(home=tmp_path / "home")
    factory.land(day(4), "a", 10)
    factory.land(day(5), "b", 20)
    factory.build(day(4), day(5), day(6), day(7))
    case = {"month": day(4).isoformat(), "home": str(home.home)}
    with copies(factory, server, ["seal.after_file", "seal.before_commit", "seal.after_commit"]) as killed:
        run_cases("seal", [{"at": point, "url": url(one), **case} for point, one in killed.items()])
        open_month = archived(factory)
        archive.seal(factory.warehouse, home, factory.project, day(4))
        sealed = archived(factory)
        assert sealed["raw"] == sealed["staging"] == []
        for point, one in killed.items():
            assert archived(one) == (sealed if point == "seal.after_commit" else open_month), point
            archive.seal_before(one.warehouse, home, one.project, NOW.date().replace(month=6))
            assert archived(one) == sealed, point
    with copies(factory, server, ["attach.before_commit", "attach.after_commit"]) as killed:
        run_cases("attach", [{"at": point, "url": url(one), **case} for point, one in killed.items()])
        archive.unseal(factory.warehouse, factory.project, day(4))
        attached = archived(factory)
        assert (attached["raw"], attached["staging"]) == (open_month["raw"], open_month["staging"])
        for point, one in killed.items():
            assert archived(one) == (attached if point == "attach.after_commit" else sealed), point
            if archived(one) == sealed:
                archive.unseal(one.warehouse, one.project, day(4))
            assert archived(one) == attached, point


def test_the_sweep_spares_a_candidate_in_use(factory: SmallFactory, settings: Settings) -> None:
    with autocommit(factory.warehouse) as conn:
        conn.execute("create unlogged table scratch.in_use (); create unlogged table scratch.left_over ()")
        conn.execute("select pg_advisory_lock(hashtext('takt.scratch'), hashtext('in_use'))")
        report = maintain(factory.warehouse, settings, factory.project, NOW.date())
    assert report.candidates_swept == ("scratch.left_over",)
    assert factory.scratch() == ["in_use"]
