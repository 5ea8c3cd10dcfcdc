"""`python -m dbt_like_sql`: check every model against the house rules; prints the complaints and exits 1 if any."""

import argparse
import sys
from pathlib import Path

from dbt_like_sql.errors import ModelError
from dbt_like_sql.lint import Estate, lint
from dbt_like_sql.project import MODELS, load_project

CASES = Path(__file__).parent.parent / "tests" / "sql_cases"


def main(arguments: list[str] | None = None) -> int:
    """Lint the models of a folder; the number to exit with."""
    parser = argparse.ArgumentParser(prog="python -m dbt_like_sql", description="Check the models' house rules.")
    parser.add_argument("--models", type=Path, default=MODELS, help="folder with the layer folders")
    parser.add_argument("--cases", type=Path, default=CASES, help="folder with a folder of SQL cases for each model")
    options = parser.parse_args(arguments)
    with_cases = None
    if options.cases.is_dir():
        with_cases = frozenset(path.parent.name for path in options.cases.glob("*/*.yml"))
    try:
        complaints = lint(Estate(load_project(options.models), with_cases))
    except ModelError as error:
        sys.stderr.write(f"{error.message}\n")
        return 1
    for complaint in complaints:
        sys.stderr.write(f"{complaint}\n")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
