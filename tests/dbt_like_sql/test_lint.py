"""Every house rule seen to bite on a planted model, and to leave a sound one alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from dbt_like_sql import lint
from dbt_like_sql.__main__ import main
from dbt_like_sql.lint import RULES, Rule
from tests.dbt_like_sql.planting import (
    DIMENSION_SQL,
    DIMENSION_YML,
    FACT_SQL,
    FACT_YML,
    STAGING_SQL,
    STAGING_YML,
    complaint,
    estate,
    plant,
    sound,
)

SOUND: Mapping[str, tuple[str, str]] = {
    "staging/stg_thing": (STAGING_SQL, STAGING_YML),
    "dimensions/dim_line": (DIMENSION_SQL, DIMENSION_YML),
    "facts/fact_thing": (FACT_SQL, FACT_YML),
}
MART_SQL = "select f.tenant_id, f.date, f.line_code, f.qty from bi.fact_thing as f"
MART_YML = FACT_YML.replace("partitioned_table\npartition_by: quarter", "materialized_view")
CHECK = "checks:\n  - {{name: c, description: C., severity: error, {}}}\n"


@dataclass(frozen=True)
class Planted:
    """A model that breaks one rule: where it lies, how it differs from the sound one, what must be said."""

    rule: Rule
    says: str
    place: str = "facts/fact_thing"
    sql: tuple[str, str] = ("", "")
    yml: tuple[str, str] = ("", "")
    like: str | None = None
    more: str = ""


PLANTED = [
    Planted(lint.name_carries_layer, "must begin with fact_", place="facts/thing", like="facts/fact_thing"),
    Planted(
        lint.kept_as_its_layer_is,
        "not partitioned_table",
        place="dimensions/dim_x",
        like="facts/fact_thing",
    ),
    Planted(
        lint.reads_only_from_layers_above,
        "reads bi.fact_thing of facts",
        place="facts/fact_other",
        like="facts/fact_thing",
        sql=("staging.stg_thing", "bi.fact_thing"),
    ),
    Planted(
        lint.only_staging_reads_records,
        "reads core.erp_mes_data, which facts may not",
        sql=("staging.stg_thing", "core.erp_mes_data"),
    ),
    Planted(
        lint.only_staging_reads_records,
        "reads core.load, which dimensions may not",
        place="dimensions/dim_line",
        sql=("core.master_record", "core.load"),
    ),
    Planted(lint.selects_no_star, "SELECT *", sql=("select t.tenant_id", "select *, t.tenant_id")),
    Planted(
        lint.selects_no_star,
        "selects t.* from t",
        sql=("from staging.stg_thing as t", "from (select t.* from staging.stg_thing as t) as t"),
    ),
    Planted(lint.documents_what_it_selects, "does not document extra", sql=("sum(t.qty)", "1 as extra, sum(t.qty)")),
    Planted(
        lint.documents_what_it_selects,
        "documents qty, which",
        sql=("none') as line_code, sum(t.qty) as qty", "none') as line_code"),
    ),
    Planted(
        lint.documents_what_it_selects,
        "documents date where the SELECT has line_code",
        sql=(
            "t.date, coalesce(t.line_code, 'none') as line_code,",
            "coalesce(t.line_code, 'none') as line_code, t.date,",
        ),
    ),
    Planted(lint.grain_is_selected, "does not select shift", yml=("line_code]", "shift]")),
    Planted(
        lint.grain_is_not_null,
        "not_null for line_code",
        yml=("line_code, type: text, not_null: true", "line_code, type: text"),
    ),
    Planted(lint.tenant_is_in_the_grain, "begin with tenant_id", yml=("[tenant_id, date", "[date, tenant_id")),
    Planted(lint.date_is_in_the_grain, "must hold date", yml=("tenant_id, date, line_code]", "tenant_id, line_code]")),
    Planted(
        lint.staging_knows_its_record,
        "lacks source_row",
        place="staging/stg_thing",
        sql=("r.source_row,", ""),
    ),
    Planted(
        lint.window_fits_materialization,
        "never uses :to_date",
        sql=("between :from_date and :to_date", ">= :from_date"),
    ),
    Planted(
        lint.window_fits_materialization,
        "must not use :now",
        place="dimensions/dim_line",
        sql=("'line'", "'line' and r.received_at < :now"),
    ),
    Planted(lint.reads_no_clock, "calls current_timestamp()", sql=("where", "where now() > t.date and")),
    Planted(lint.reads_no_clock, "current_date", sql=("where", "where current_date > t.date and")),
    Planted(lint.reads_no_clock, "calls clock_timestamp()", sql=("where", "where clock_timestamp() > t.date and")),
    Planted(lint.divides_safely, "divides by SUM(t.qty)", sql=("sum(t.qty)", "1 / sum(t.qty)")),
    Planted(lint.divides_safely, "divides by 0", sql=("sum(t.qty)", "sum(t.qty) / 0")),
    Planted(
        lint.divides_safely,
        "divides by t.qty",
        sql=("sum(t.qty) as qty\nfrom staging.stg_thing as t", "sum(1 % t.qty) as qty\nfrom staging.stg_thing as t"),
    ),
    Planted(
        lint.joins_keep_tenants_apart,
        "joins l and t without equating their tenant_id",
        sql=("as t\n", "as t\nleft join bi.dim_line as l on l.line_code = t.line_code\n"),
    ),
    Planted(
        lint.windows_keep_tenants_apart,
        "not partitioned by tenant_id",
        sql=("sum(t.qty)", "sum(sum(t.qty)) over (partition by t.date)"),
    ),
    Planted(lint.columns_can_be_followed, "belongs to no source", sql=("sum(t.qty)", "sum(quantity)")),
    Planted(
        lint.columns_can_be_followed,
        "could belong to",
        sql=("as t\n", "as t\nleft join bi.dim_line as l on l.tenant_id = tenant_id\n"),
    ),
    Planted(lint.numbers_have_units, "names no unit for qty", yml=("unit: piece, ", "")),
    Planted(
        lint.contract_names_its_own_columns,
        "index on colour",
        yml=("grain:", "indexes: [[tenant_id, colour]]\ngrain:"),
    ),
    Planted(lint.contract_names_its_own_columns, "names quantity", more=CHECK.format("where_broken: quantity < 0")),
    Planted(lint.contract_names_its_own_columns, "not readable", more=CHECK.format("where_broken: qty <")),
    Planted(
        lint.contract_names_its_own_columns,
        "it is broken_rows",
        more=CHECK.format("where_broken: qty > (select 1)"),
    ),
    Planted(
        lint.contract_names_its_own_columns,
        "must return date",
        more=CHECK.format("broken_rows: select c.tenant_id from candidate as c"),
    ),
    Planted(
        lint.contract_names_its_own_columns,
        "reads core.load",
        more=CHECK.format("'broken_rows': 'select l.tenant_id, l.started_at as date from core.load as l'"),
    ),
    Planted(
        lint.contract_names_its_own_columns,
        "uses :to_date",
        more=CHECK.format("'broken_rows': 'select a.tenant_id, a.date from audited as a where a.date < :to_date'"),
    ),
    Planted(
        lint.marts_hold_nothing_back,
        "gives c severity error",
        place="marts/mv_thing",
        more=CHECK.format("where_broken: qty < 0"),
    ),
    Planted(
        lint.marts_hold_nothing_back,
        "gives qty severity error",
        place="marts/mv_thing",
        yml=("unit: piece, ", "unit: piece, range: [0, null], severity: error, "),
    ),
    Planted(lint.facts_and_marts_have_a_case, "has no case in tests/sql_cases/fact_thing/"),
]


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: f"{planted.rule.__name__}: {planted.says}")
def test_rule_bites(planted: Planted, tmp_path: Path) -> None:
    sound(tmp_path)
    sql, yml = {**SOUND, "marts/mv_thing": (MART_SQL, MART_YML)}[planted.like or planted.place]
    plant(tmp_path, planted.place, sql.replace(*planted.sql), yml.replace(*planted.yml) + planted.more)
    found = complaint(planted.rule, tmp_path, planted.place.partition("/")[2])
    assert found is not None
    assert planted.says in found


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_rule_leaves_sound_models_alone(rule: Rule, tmp_path: Path) -> None:
    sound(tmp_path)
    plant(tmp_path, "marts/mv_thing", MART_SQL, MART_YML)
    here = estate(tmp_path, "fact_thing", "mv_thing")
    assert [rule(model, here) for model in here.project.models.values()] == [None] * 4


def test_every_rule_is_among_those_that_run_and_has_been_seen_to_bite() -> None:
    defined = {
        name
        for name, value in vars(lint).items()
        if callable(value) and getattr(value, "__annotations__", {}).get("return") == str | None and name[0] != "_"
    }
    assert {rule.__name__ for rule in RULES} == defined
    assert {planted.rule for planted in PLANTED} == set(RULES)


def test_sound_divisions_pass(tmp_path: Path) -> None:
    sound(tmp_path)
    computed = "select x.*, nullif(x.qty, 0) as divisor from (select t.tenant_id, t.date, t.line_code, t.qty from"
    sql = FACT_SQL.replace("from staging.stg_thing as t", f"from ({computed} staging.stg_thing as t) as x) as t")
    plant(tmp_path, "facts/fact_thing", sql.replace("sum(t.qty)", "sum(t.qty / 60 / t.divisor)"), FACT_YML)
    assert complaint(lint.divides_safely, tmp_path, "fact_thing") is None


def test_a_check_may_ask_for_the_dates_under_audit_and_for_now(tmp_path: Path) -> None:
    sound(tmp_path)
    late = "select a.tenant_id, a.date from audited as a where a.date < (:now at time zone a.timezone)::date"
    plant(tmp_path, "facts/fact_thing", FACT_SQL, FACT_YML + CHECK.format(f"broken_rows: '{late}'"))
    assert complaint(lint.contract_names_its_own_columns, tmp_path, "fact_thing") is None


def test_command_prints_complaints_and_exits_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    models, cases = sound(tmp_path / "models"), tmp_path / "cases"
    (cases / "fact_thing").mkdir(parents=True)
    arguments = ["--models", str(models), "--cases", str(cases)]
    assert main(arguments) == 1
    assert "fact_thing.sql: has no case" in capsys.readouterr().err
    (cases / "fact_thing" / "empty.yml").write_text("description: x")
    assert main(arguments) == 0
    assert capsys.readouterr().err == ""


def test_command_says_what_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plant(tmp_path, "facts/fact_thing", "select", FACT_YML)
    assert main(["--models", str(tmp_path), "--cases", str(tmp_path / "none")]) == 1
    assert "fact_thing.sql" in capsys.readouterr().err


def test_the_packaged_models_keep_the_house_rules() -> None:
    assert main([]) == 0
