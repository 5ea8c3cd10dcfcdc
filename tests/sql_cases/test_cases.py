"""Every case file as a test of its own, and that the cases there are suffice."""

from typing import Any

import psycopg
import pytest
from sqlglot import exp

from dbt_like_sql.compile import parse_query
from dbt_like_sql.contracts import Model
from dbt_like_sql.project import Project, load_project
from tests.sql_cases.runner import Case, CaseFile, case_files, misclaimed, run_case, type_differences

FILES = case_files()
MODELS = list(load_project().models.values())
MUST_HAVE_CASES = [model for model in MODELS if model.layer in ("facts", "marts")]


@pytest.mark.parametrize("file", FILES, ids=str)
def test_case(file: CaseFile, cases_connection: psycopg.Connection[Any], project: Project) -> None:
    case = file.read()
    complaints = misclaimed(case) + run_case(cases_connection, project, project.model(file.model), case)
    assert not complaints, f"{case.description}\n" + "\n".join(complaints)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_select_has_the_types_of_its_contract(
    model: Model, cases_connection: psycopg.Connection[Any], project: Project
) -> None:
    assert not type_differences(cases_connection, project, model)


@pytest.mark.parametrize("model", MUST_HAVE_CASES, ids=lambda model: model.name)
def test_facts_and_marts_have_an_empty_a_null_and_a_zero_case(model: Model) -> None:
    needed = {"empty", "null"}
    if parse_query(model.sql).find(exp.Div):
        needed.add("zero_denominator")
    covered = {claim for file in FILES if file.model == model.name for claim in file.read().covers}
    assert not needed - covered, f"{model.name} lacks a case that covers {', '.join(sorted(needed - covered))}"


def test_claim_of_what_a_case_covers_is_checked() -> None:
    rows = [{"tenant_id": "a", "total_qty": 3}]
    assert misclaimed(Case(description="x", given={"bi.f": rows}, expect=[], covers=frozenset({"empty"})))
    assert misclaimed(Case(description="x", given={"bi.f": rows}, expect=[], covers=frozenset({"null"})))
    assert misclaimed(Case(description="x", given={"bi.f": rows}, expect=[], covers=frozenset({"zero_denominator"})))
    assert misclaimed(Case(description="x", expect=[], covers=frozenset({"something"})))
    fine = [{"total_qty": 0, "planned_qty": None, "raw_data": {"good_qty": None}}]
    assert not misclaimed(
        Case(description="x", given={"bi.f": fine}, expect=[], covers=frozenset({"null", "zero_denominator"}))
    )
