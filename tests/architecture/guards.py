"""Rules of the house as functions over a tree: each returns its complaints, none when all is well."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("platform_core", "dbt_like_sql", "platform_assets", "platform_api", "platform_cli")
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 50

_SQL = re.compile(
    r"^\s*(select\s|insert\s+into\s|update\s+\S+\s+set\s|delete\s+from\s|with\s+\S+\s+as\s*\(|create\s+(table|view|schema"
    r"|unlogged|materialized|index|unique|role|database)\s|alter\s+(table|role|view|database)\s|drop\s+(table|view|schema"
    r"|materialized|index|role|database)\s|truncate\s|refresh\s+materialized|lock\s+table|grant\s|revoke\s|copy\s)",
    re.IGNORECASE,
)


def python_files(root: Path, packages: tuple[str, ...] = PACKAGES) -> Iterator[Path]:
    """Every Python file of our packages below `root`, sorted."""
    for package in packages:
        yield from sorted((root / package).rglob("*.py"))


def long_files(root: Path) -> list[str]:
    """Files of over 400 lines: a file that nears it becomes a package with one module for each use case."""
    files = [*python_files(root), *python_files(root, ("tests", "benchmarks"))]
    files += sorted((root / "dbt_like_sql").rglob("*.sql"))
    sizes = ((path, len(path.read_text(encoding="utf-8").splitlines())) for path in files)
    return [f"{path.relative_to(root)}: {size} lines" for path, size in sizes if size > MAX_FILE_LINES]


def long_functions(root: Path) -> list[str]:
    """Functions of over 50 lines, docstring and decorators apart."""
    complaints: list[str] = []
    for path in python_files(root):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
            size = (node.end_lineno or 0) - first.lineno + 1
            if size > MAX_FUNCTION_LINES:
                complaints.append(f"{path.relative_to(root)}:{node.lineno} {node.name}: {size} lines")
    return complaints


def _may_hold_sql(path: Path) -> bool:
    parts = path.parts
    return path.name == "store.py" or "store" in parts or "dbt_like_sql" in parts or "migrations" in parts


def _docstrings(tree: ast.AST) -> set[int]:
    """Ids of the constant nodes that are docstrings, so that prose which begins with `Select ...` passes."""
    found: set[int] = set()
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if not isinstance(body, list):
            continue
        for statement in body:
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                found.add(id(statement.value))
    return found


def stray_sql(root: Path) -> list[str]:
    """SQL statements outside dbt_like_sql, migrations and the stores."""
    complaints: list[str] = []
    for path in python_files(root):
        if _may_hold_sql(path.relative_to(root)):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        prose = _docstrings(tree)
        for node in ast.walk(tree):
            if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or id(node) in prose:
                continue
            if _SQL.match(node.value) and len(node.value.split()) > 2:
                complaints.append(f"{path.relative_to(root)}:{node.lineno} {node.value.strip()[:60]!r}")
    return complaints


def stray_commits(root: Path) -> list[str]:
    """Calls of commit() or rollback() outside the unit of work."""
    unit_of_work = Path("platform_core/warehouse/connection.py")
    complaints: list[str] = []
    for path in python_files(root):
        if path.relative_to(root) == unit_of_work:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in {"commit", "rollback"}
            ):
                complaints.append(f"{path.relative_to(root)}:{node.lineno} {node.func.attr}()")
    return complaints


def foreign_words(root: Path, files: list[Path]) -> list[str]:
    """Registry hosts and machine paths in committed files."""
    pattern = re.compile(
        r"py" + r"pi\.org|python" + r"hosted|registry\.np" + r"mjs|deb\.deb" + r"ian|(?<![\w.])/wo" + r"rk/"
    )
    complaints: list[str] = []
    for path in files:
        try:
            text = (root / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        complaints += [f"{path}: {match.group()}" for match in pattern.finditer(text)]
    return complaints
