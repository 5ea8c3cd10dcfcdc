"""The mock ERP asks for a login, pages in four styles, fails now and then, and always the same way for one seed."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import httpx
import pytest

from platform_core.factory.contracts import History, Period
from platform_core.factory.disturbances import make_history
from platform_core.factory.mock_erp import API_KEY, ERPNEXT_TOKEN, PASSWORD, TOKEN, USER, MockErp, Trouble
from platform_core.factory.plants import make_plants

BEARER = {"Authorization": f"Bearer {TOKEN}"}
CALM = Trouble(share=0)


@pytest.fixture(scope="module")
def history() -> History:
    return make_history(make_plants(1, 3)[0], Period(date(2026, 11, 1), date(2026, 11, 4), 4, 5))


@pytest.fixture
def erp(history: History) -> Iterator[MockErp]:
    with MockErp([history], trouble=CALM) as server:
        yield server


def _get(erp: MockErp, path: str, **more: Any) -> httpx.Response:
    return httpx.get(f"{erp.url}/alpha/{path}", trust_env=False, **more)


def test_pages_counted_by_number(erp: MockErp, history: History) -> None:
    first = _get(erp, "work_orders?page=1&per_page=30", headers=BEARER).json()
    rows = [
        row
        for page in range(1, first["pages"] + 1)
        for row in _get(erp, f"work_orders?page={page}&per_page=30", headers=BEARER).json()["data"]
    ]
    assert {row["work_order_id"] for row in rows} == {order.id for order in history.work_orders}
    assert len(rows) == len(history.work_orders)


def test_pages_counted_by_rows(erp: MockErp, history: History) -> None:
    answer = _get(erp, "orders?offset=1&limit=2", auth=(USER, PASSWORD)).json()
    assert answer["total"] == len(history.orders)
    assert len(answer["items"]) == 2


def test_a_cursor_leads_through_all_rows(erp: MockErp, history: History) -> None:
    rows: list[Any] = []
    cursor = ""
    while cursor is not None:
        result = _get(erp, f"inventory?limit=7&cursor={cursor}", headers={"X-Api-Key": API_KEY}).json()["result"]
        rows += result["rows"]
        cursor = result["next"]
    assert len(rows) == len(history.stocks)


def test_links_lead_through_all_rows(erp: MockErp) -> None:
    whole = _get(erp, "equipment_events?limit=500", headers=BEARER)
    assert "Link" not in whole.headers
    rows: list[Any] = []
    response = _get(erp, "equipment_events?limit=9", headers=BEARER)
    while True:
        rows += response.json()
        if "next" not in response.links:
            break
        response = httpx.get(response.links["next"]["url"], headers=BEARER, trust_env=False)
    assert rows == whole.json()


def test_modified_since_leaves_out_what_did_not_change(erp: MockErp, history: History) -> None:
    since = "2026-11-03T12:00:00+09:00"
    url = httpx.URL(f"{erp.url}/alpha/work_orders", params={"modified_since": since, "per_page": "500"})
    rows = httpx.get(url, headers=BEARER, trust_env=False).json()["data"]
    expected = [order for order in history.work_orders if order.version >= datetime.fromisoformat(since)]
    assert len(rows) == len(expected)
    assert 0 < len(rows) < len(history.work_orders)


@pytest.mark.parametrize(
    "resource", ["work_orders", "orders", "inventory", "equipment_events", "api/resource/Job Card"]
)
def test_nothing_is_told_without_a_login(erp: MockErp, resource: str) -> None:
    assert _get(erp, resource).status_code == 401


def test_unknown_resources_are_not_found(erp: MockErp) -> None:
    for path in ("nothing", "Job Card", "api/resource/work_orders", "work_orders/1", "api/resource/Job Card/x/y"):
        assert _get(erp, path, headers=BEARER).status_code == 404


def test_erpnext_lists_names_filters_and_gives_documents_with_their_child_rows(erp: MockErp, history: History) -> None:
    login = {"Authorization": f"token {ERPNEXT_TOKEN}"}
    names = _get(erp, "api/resource/Job Card?limit_page_length=0", headers=login).json()["data"]
    assert len(names) == len(history.work_orders)
    assert set(names[0]) == {"name"}
    filters = '[["modified", ">=", "2026-11-03 12:00:00"]]'
    late = _get(
        erp, f'api/resource/Job Card?fields=["name","modified"]&filters={filters}&limit_page_length=0', headers=login
    ).json()["data"]
    assert 0 < len(late) < len(names)
    document = _get(erp, f"api/resource/Job Card/{names[0]['name']}", headers=login).json()["data"]
    assert document["time_logs"][0]["completed_qty"] == document["total_completed_qty"]
    assert _get(erp, "api/resource/Job Card/none", headers=login).status_code == 404


def test_trouble_comes_once_for_each_address_and_is_the_same_for_one_seed(history: History) -> None:
    def statuses(seed: int) -> list[tuple[int, int]]:
        trouble = Trouble(share=0.6, slow_seconds=0)
        with MockErp([history], seed=seed, trouble=trouble) as erp:
            paths = [f"work_orders?page={page}&per_page=10" for page in range(1, 12)]
            return [tuple(_get(erp, path, headers=BEARER).status_code for _ in range(2)) for path in paths]  # type: ignore[misc]

    answers = statuses(1)
    assert {first for first, _ in answers} == {200, 429, 500}
    assert {second for _, second in answers} == {200}
    assert statuses(1) == answers
    assert statuses(2) != answers


def test_a_429_says_how_long_to_wait(history: History) -> None:
    with MockErp([history], trouble=Trouble(share=1, retry_after_seconds=3, slow_seconds=0)) as erp:
        limited = [_get(erp, f"work_orders?page={page}", headers=BEARER) for page in range(12)]
        assert {each.headers.get("Retry-After") for each in limited if each.status_code == 429} == {"3"}
        assert erp.requests[429] > 0
