"""The project is read whole or refused with everything that is wrong, each complaint with its place."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbt_like_sql.contracts import ModelSpec
from dbt_like_sql.contracts_file import read_spec
from dbt_like_sql.errors import ModelError
from dbt_like_sql.project import digest, load_project
from tests.dbt_like_sql.planting import DIMENSION_SQL, DIMENSION_YML, FACT_SQL, FACT_YML, plant, sound


def refused(root: Path) -> str:
    with pytest.raises(ModelError) as raised:
        load_project(root)
    return str(raised.value)


def test_models_come_upstreams_first_and_know_what_they_read(tmp_path: Path) -> None:
    project = load_project(sound(tmp_path))
    assert list(project.models) == ["staging.stg_thing", "bi.dim_line", "bi.fact_thing"]
    assert project.models["bi.fact_thing"].upstreams == ("staging.stg_thing",)
    assert project.dated == ("staging.stg_thing", "bi.fact_thing")
    assert project.downstream("core.erp_mes_data") == ("staging.stg_thing",)
    assert project.descendants("core.erp_mes_data") == ("staging.stg_thing", "bi.fact_thing")
    assert project.descendants("bi.fact_thing") == ()
    assert project.model("dim_line").relation == "bi.dim_line"


def test_unknown_model_gets_the_nearest_names(tmp_path: Path) -> None:
    project = load_project(sound(tmp_path))
    with pytest.raises(ModelError, match=r"bi\.fact_thing"):
        project.model("bi.fact_thin")


def test_the_packaged_models_are_sound() -> None:
    assert load_project().models


def test_a_circle_is_shown(tmp_path: Path) -> None:
    for one, other in (("a", "b"), ("b", "c"), ("c", "a")):
        sql = FACT_SQL.replace("staging.stg_thing", f"bi.fact_{other}")
        plant(tmp_path, f"facts/fact_{one}", sql, FACT_YML)
    text = refused(tmp_path)
    assert "in a circle" in text
    assert any(
        f"{a} -> {b} -> {c} -> {a}" in text
        for a, b, c in [
            ("bi.fact_a", "bi.fact_b", "bi.fact_c"),
            ("bi.fact_b", "bi.fact_c", "bi.fact_a"),
            ("bi.fact_c", "bi.fact_a", "bi.fact_b"),
        ]
    )


@pytest.mark.parametrize(
    ("change", "line", "says"),
    [
        (("owner:", "ownr:"), 2, "unknown key 'ownr' at ownr; did you mean 'owner'?"),
        (("name: name, ", "name: name, colour: red, "), 8, "unknown key 'colour' at columns.2.colour"),
        (("grain: [tenant_id, line_code]", "grain: []"), 4, "grain: "),
        (("type: uuid, ", ""), 6, "the key 'type' is missing at columns.0.type"),
        (("owner: team:data", "owner: nobody"), 2, "owner: "),
        (("materialized: table", "materialized: table\nowner: team:x"), 4, "the key 'owner' is written twice"),
        (("materialized: table", "materialized: tabel"), 3, "materialized: "),
        (("materialized: table", "materialized: table\npartition_by: month"), None, "partition_by belongs to"),
        (("name: name,", "name: line_code,"), None, "column line_code is listed twice"),
        (("description: Lines.", "description: [Lines."), None, "not readable as YAML"),
    ],
)
def test_a_wrong_contract_names_file_line_and_key(
    tmp_path: Path, change: tuple[str, str], line: int | None, says: str
) -> None:
    plant(tmp_path, "dimensions/dim_line", DIMENSION_SQL, DIMENSION_YML.replace(*change))
    path = tmp_path / "dimensions" / "dim_line.yml"
    with pytest.raises(ModelError) as raised:
        read_spec(path)
    assert f"{path}:{line}: " in str(raised.value) if line else f"{path}:" in str(raised.value)
    assert says in str(raised.value)


def test_a_check_says_exactly_one_thing(tmp_path: Path) -> None:
    check = "checks:\n  - {name: c, description: C., severity: error, where_broken: x, broken_rows: y}\n"
    plant(tmp_path, "dimensions/dim_line", DIMENSION_SQL, DIMENSION_YML + check)
    assert "exactly one of where_broken and broken_rows" in refused(tmp_path)


def test_everything_wrong_is_said_at_once(tmp_path: Path) -> None:
    sound(tmp_path)
    (tmp_path / "facts" / "fact_alone.sql").write_text("select 1")
    (tmp_path / "facts" / "fact_lonely.yml").write_text(FACT_YML)
    (tmp_path / "facts" / "fact_long.yaml").write_text(FACT_YML)
    plant(tmp_path, "elsewhere/fact_x", FACT_SQL, FACT_YML)
    plant(tmp_path, "facts/fact_two", "select 1; select 2", FACT_YML)
    plant(tmp_path, "facts/fact_bare", "select 1 as tenant_id from thing", FACT_YML)
    plant(tmp_path, "facts/fact_asks", "select :tenant as tenant_id", FACT_YML)
    text = refused(tmp_path)
    for said in (
        "fact_alone.sql: has no contract (.yml) beside it",
        "fact_lonely.yml: has no SELECT (.sql) beside it",
        "fact_long.yaml: a contract ends in .yml",
        "outside the layer folders",
        "exactly one SELECT",
        "reads 'thing' without its schema",
        "asks for :tenant",
    ):
        assert said in text


def test_a_relation_that_no_model_makes_gets_the_nearest_name(tmp_path: Path) -> None:
    sound(tmp_path)
    plant(tmp_path, "facts/fact_thing", FACT_SQL.replace("stg_thing", "stg_thin"), FACT_YML)
    assert "reads staging.stg_thin, which no model makes; did you mean staging.stg_thing?" in refused(tmp_path)


def test_one_name_in_two_layers_is_refused(tmp_path: Path) -> None:
    plant(tmp_path, "facts/thing", FACT_SQL.replace("staging.stg_thing", "core.tenants"), FACT_YML)
    plant(tmp_path, "marts/thing", FACT_SQL.replace("staging.stg_thing", "core.tenants"), FACT_YML)
    assert "bi.thing is taken" in refused(tmp_path)


def _spec(**changes: object) -> ModelSpec:
    base = {
        "description": "d",
        "owner": "team:data",
        "materialized": "table",
        "grain": ["a"],
        "columns": [{"name": "a", "type": "text", "description": "d"}],
    }
    return ModelSpec.model_validate(base | changes)


_space = st.sampled_from([" ", "\n", "\t ", " -- why\n", " /* 'why' */ "])


@given(st.lists(_space, min_size=9, max_size=9), st.booleans())
def test_digest_looks_through_layout_comments_and_case(spaces: list[str], upper: bool) -> None:
    words = ["select", 'a."B",', "'Text'", "as", "c", "from", "s.t", "as", "a"]
    if upper:
        words = [word if '"' in word or "'" in word else word.upper() for word in words]
    written = "".join(word + space for word, space in zip(words, spaces, strict=True))
    assert digest(written, _spec()) == digest("select a.\"B\", 'Text' as c from s.t as a;", _spec())


@pytest.mark.parametrize(
    ("sql", "spec"),
    [
        ("select 'x' from s.t", _spec()),
        ("select 'X' from s.u", _spec()),
        ('select "X" from s.t', _spec()),
        ("select 'X' from s.t", _spec(columns=[{"name": "a", "type": "integer", "description": "d"}])),
        ("select 'X' from s.t", _spec(lookback_days=1)),
    ],
)
def test_digest_tells_what_changes_rows(sql: str, spec: ModelSpec) -> None:
    assert digest(sql, spec) != digest("select 'X' from s.t", _spec())


def test_digest_does_not_change_with_words_for_people() -> None:
    columns = [{"name": "a", "type": "text", "description": "other"}]
    assert digest("select 1", _spec(description="other", columns=columns)) == digest("select 1", _spec())
