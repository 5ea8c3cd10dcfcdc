"""Asking a running webserver."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

import httpx

T = TypeVar("T")


class Webserver:
    """The GraphQL of one webserver."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """The data of an answer without errors."""
        request = {"query": query, "variables": variables}
        answer = httpx.post(f"{self.url}/graphql", json=request, timeout=60).json()
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def backfill(self, keys: list[list[str]], partitions: list[str]) -> str:
        """Launch a backfill as the UI does; its id."""
        params = {"assetSelection": [{"path": key} for key in keys], "partitionNames": partitions}
        launched = self.ask(LAUNCH_BACKFILL, params=params)["launchPartitionBackfill"]
        assert launched["__typename"] == "LaunchBackfillSuccess", launched
        return launched["backfillId"]

    def runs(self, tag: str, value: str) -> list[dict[str, Any]]:
        """Runs that carry a tag."""
        found = self.ask(RUNS, filter={"tags": [{"key": tag, "value": value}]})
        return found["runsOrError"]["results"]

    def date_verdicts(self, key: list[str]) -> list[tuple[str, str, str]]:
        """First date, last date and status of each range of the check `dates_published`."""
        checks = self.ask(CHECKS, key={"path": key})["assetNodeOrError"]["assetChecksOrError"]["checks"]
        [published] = [each for each in checks if each["name"] == "dates_published"]
        ranges = published["partitionStatuses"]["ranges"]
        return [(each["startKey"], each["endKey"], each["status"]) for each in ranges]


def wait_for(ask: Callable[[], T | None], seconds: float, what: str) -> T:
    """What `ask` gives once it is not None; fails after a time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = ask()
        if found is not None:
            return found
        time.sleep(0.5)
    raise AssertionError(f"{what}: not within {seconds:.0f} s")


LAUNCH_BACKFILL = """
mutation($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}
"""
RUNS = """
query($filter: RunsFilter!) {
  runsOrError(filter: $filter) { ... on Runs { results { runId status jobName tags { key value } } } }
}
"""
CHECKS = """
query($key: AssetKeyInput!) {
  assetNodeOrError(assetKey: $key) { ... on AssetNode { assetChecksOrError { ... on AssetChecks { checks {
    name partitionStatuses { ... on AssetCheckTimePartitionStatuses { ranges { startKey endKey status } } }
  } } } } }
}
"""
MATERIALIZED = """
query($key: AssetKeyInput!) {
  assetNodeOrError(assetKey: $key) { ... on AssetNode { assetPartitionStatuses {
    ... on TimePartitionStatuses { ranges { startKey endKey status } }
  } } }
}
"""
DRY_RUN = """
mutation($schedule: ScheduleSelector!, $at: Float!) {
  scheduleDryRun(selectorData: $schedule, timestamp: $at) {
    ... on DryRunInstigationTick { evaluationResult { runRequests { tags { key value } } error { message } } }
  }
}
"""
