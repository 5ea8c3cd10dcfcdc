"""Write the files of a made-up factory, and the truth about them."""

import json
import os
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import TypeVar, cast

from platform_core.factory.bulk import BulkTotals, work_orders_bulk
from platform_core.factory.contracts import Factory, Json, Period, Plant, SourceFile
from platform_core.factory.disturbances import make_history
from platform_core.factory.errors import FactoryError
from platform_core.factory.files import write_deliveries, write_manifest, write_master_data
from platform_core.factory.plants import make_plants
from platform_core.factory.truth import make_truth

T = TypeVar("T")
Progress = Callable[[str], None]
Steps = Callable[[int, int], None]
"""Called with the number of steps done, and of all."""


def generate(
    output: Path,
    *,
    days: int,
    lines: int,
    tenants: int,
    seed: int,
    end_date: date,
    orders_per_shift: int = 4,
    records: int | None = None,
    progress: Progress | None = None,
    steps: Steps | None = None,
) -> Factory:
    """Write files, `manifest.json` (in order of arrival) and `truth.json` for the `days` dates up to `end_date`.

    The same arguments give the same bytes. With `records`, every plant and day gets one more MES file, so that there
    are about that many work orders in all. Raises FactoryError for numbers that make no factory.
    """
    _check(days, lines, tenants, orders_per_shift)
    _make_folder(output)
    period = Period(end_date - timedelta(days=days - 1), end_date, orders_per_shift, seed)
    plants = make_plants(tenants, lines)
    say = progress or _say_nothing
    count = _Counter(tenants * (2 + (days if records else 0)), steps)
    histories = [count.after(make_history(plant, period)) for plant in plants]
    files: list[SourceFile] = []
    for plant in plants:
        files += write_master_data(output, plant)
    dated: list[tuple[date, SourceFile]] = []
    for history in histories:
        say(f"{history.plant.slug}: {len(history.deliveries)} records")
        dated += count.after(write_deliveries(output, history))
    present = sum(len(history.work_orders) for history in histories)
    bulk, bulk_files = _write_bulk(output, plants, period, max((records or 0) - present, 0), say, count)
    files += [file for _, file in sorted(dated + bulk_files, key=lambda each: each[0])]
    write_manifest(output / "manifest.json", plants, files)
    truth = make_truth(histories, files, bulk)
    truth = {"first_date": period.first.isoformat(), "last_date": period.last.isoformat(), "seed": seed} | truth
    (output / "truth.json").write_text(_dump(truth), encoding="utf-8")
    return Factory(output, plants, period, tuple(files), {each.plant.slug: each.story for each in histories})


class _Counter:
    """Counts steps as they are done."""

    def __init__(self, total: int, tell: Steps | None) -> None:
        self._total, self._tell, self._done = total, tell, 0

    def after(self, result: T) -> T:
        """The result of a step, which is done."""
        self._done += 1
        if self._tell is not None:
            self._tell(self._done, self._total)
        return result


def _say_nothing(_: str) -> None:
    return None


def _make_folder(output: Path) -> None:
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FactoryError(f"The folder {output} can't be made: {error.strerror}.", hint="Name another one.") from error
    if not os.access(output, os.W_OK | os.X_OK):
        raise FactoryError(f"The folder {output} can't be written to.", hint="It may be another user's; name another.")


def _check(days: int, lines: int, tenants: int, orders_per_shift: int) -> None:
    for name, value, highest in (
        ("days", days, 1000),
        ("lines", lines, 99),
        ("tenants", tenants, 50),
        ("orders per shift", orders_per_shift, 48),
    ):
        if not 1 <= value <= highest:
            raise FactoryError(f"A factory can't have {value} {name}.", hint=f"Take 1 to {highest}.")


def _write_bulk(
    output: Path, plants: tuple[Plant, ...], period: Period, count: int, say: Progress, done: "_Counter"
) -> tuple[dict[str, BulkTotals], list[tuple[date, SourceFile]]]:
    totals: dict[str, BulkTotals] = {}
    files: list[tuple[date, SourceFile]] = []
    if not count:
        return totals, files
    days = [period.first + timedelta(days=n) for n in range((period.last - period.first).days + 1)]
    shares = len(plants) * len(days)
    number = 0
    for plant in plants:
        totals[plant.slug] = BulkTotals()
        for day in days:
            share = count * (number + 1) // shares - count * number // shares
            number += 1
            name = f"{plant.slug}/mes/bulk_{day.isoformat()}.jsonl"
            (output / name).parent.mkdir(parents=True, exist_ok=True)
            written = done.after(work_orders_bulk(output / name, [day], share, period.seed, plant=plant))
            totals[plant.slug].sums.update(written.sums)
            files.append(
                (day, SourceFile(plant.slug, name, "takt_mes_work_order", "work_order", {"landed": share}, {}))
            )
        say(f"{plant.slug}: {totals[plant.slug].count} more work orders")
    return totals, files


def _dump(truth: Json) -> str:
    """One row per line, so that two truths can be compared by eye."""
    parts: list[str] = []
    for name, value in truth.items():
        if isinstance(value, list):
            items = cast("list[object]", value)
            rows = ",\n  ".join(json.dumps(row, ensure_ascii=False) for row in items)
            parts.append(f' "{name}": [\n  {rows}\n ]')
        else:
            parts.append(f' "{name}": {json.dumps(value, ensure_ascii=False)}')
    return "{\n" + ",\n".join(parts) + "\n}\n"
