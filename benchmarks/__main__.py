"""`make bench`: runs the benchmarks, prints a table and writes results.json."""

import sys
from importlib import import_module

from rich.console import Console
from rich.table import Table

from benchmarks.common import Result, write_results

ALL = ("raw_to_fact", "rebuild", "landing", "commands")


def main() -> int:
    """Run the named benchmarks (all by default); exit 1 when one misses its target."""
    chosen = sys.argv[1:] or ALL
    console = Console()
    results: list[Result] = []
    for name in chosen:
        console.print(f"{name} ...")
        results += import_module(f"benchmarks.{name}").run()
    table = Table("name", "reference", "ours", "unit", "ratio", "target", "met")
    for r in results:
        table.add_row(r.name, f"{r.reference:.3g}", f"{r.ours:.3g}", r.unit, f"{r.ratio:.3g}", r.target, str(r.met))
    console.print(table)
    if tuple(chosen) == ALL:
        write_results(results)
    return 0 if all(r.met for r in results) else 1


if __name__ == "__main__":
    raise SystemExit(main())
