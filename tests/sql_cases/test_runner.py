"""The runner tells a right model from a wrong one, and a mistyped case from either."""

from pathlib import Path
from typing import Any

import psycopg
import pytest

from dbt_like_sql.project import Project
from tests.sql_cases.runner import Case, CaseFile, run_case

GIVEN = {
    "staging.stg_order": [
        {"date": "2025-06-02", "product_code": "P1", "customer_code": "C1", "order_qty": 10.1},
        {"date": "2025-06-02", "product_code": "P1", "customer_code": "C1", "order_qty": 0.2},
        {"tenant_id": "b", "date": "2025-06-02", "product_code": "P1", "customer_code": "C1", "order_qty": 7},
    ]
}
OURS = {"tenant_id": "a", "ordered_qty": 10.3}
THEIRS = {"tenant_id": "b", "ordered_qty": 7, "delivered_qty": None}


def complaints(conn: psycopg.Connection[Any], project: Project, **case: Any) -> list[str]:
    whole = {"description": "", "given": GIVEN, "expect": [OURS, THEIRS]} | case
    return run_case(conn, project, project.model("fact_order_daily"), Case.model_validate(whole))


def test_right_rows_pass_exactly_in_any_order(cases_connection: psycopg.Connection[Any], project: Project) -> None:
    assert complaints(cases_connection, project) == []
    assert complaints(cases_connection, project, expect=[THEIRS, OURS]) == []


@pytest.mark.parametrize(
    ("case", "says"),
    [
        ({"expect": [OURS]}, "not expected: tenant_id=b"),
        ({"expect": [OURS, THEIRS, {"tenant_id": "b", "product_code": "P2"}]}, "missing: tenant_id=b, product_code=P2"),
        ({"expect": [OURS | {"ordered_qty": 10.4}, THEIRS]}, "ordered_qty is 10.3, expected 10.4"),
        ({"expect": [OURS | {"ordered_qty": None}, THEIRS]}, "ordered_qty is 10.3, expected None"),
        ({"expect": [OURS, THEIRS | {"delivered_qty": 0}]}, "delivered_qty is None, expected 0"),
        ({"expect": [{"qty": 1}]}, "has no column qty"),
        ({"given": {"staging.stg_orders": []}}, "does not read staging.stg_orders"),
        ({"to_date": "2025-06-01", "from_date": "2025-06-01"}, "missing: tenant_id=a"),
    ],
)
def test_wrong_rows_are_said(
    case: dict[str, Any], says: str, cases_connection: psycopg.Connection[Any], project: Project
) -> None:
    assert says in "\n".join(complaints(cases_connection, project, **case))


def test_tolerance_is_for_all_numbers_or_by_column(cases_connection: psycopg.Connection[Any], project: Project) -> None:
    near = [OURS | {"ordered_qty": 10.31}, THEIRS]
    assert complaints(cases_connection, project, expect=near, tolerance="0.01") == []
    assert complaints(cases_connection, project, expect=near, tolerance={"ordered_qty": "0.01"}) == []
    assert complaints(cases_connection, project, expect=near, tolerance="0.001")


def test_a_mistyped_given_column_is_refused(cases_connection: psycopg.Connection[Any], project: Project) -> None:
    with pytest.raises(AssertionError, match="has no column colour"):
        complaints(cases_connection, project, given={"staging.stg_order": [{"colour": "red"}]})


def test_yaml_words_keep_their_meaning(tmp_path: Path) -> None:
    path = tmp_path / "words.yml"
    path.write_text(
        "description: d\nexpect: [{a: 2025-06-02, b: 16:00, c: no, d: 007, e: 1.50, f: 3, g: null, h: true, i: 1e3}]\n"
    )
    assert CaseFile("m", path).read().expect == [
        {"a": "2025-06-02", "b": "16:00", "c": "no", "d": "007", "e": 1.5, "f": 3, "g": None, "h": True, "i": 1000.0}
    ]
