"""Writes the reference pages from the code: settings, error codes, models and the folder tree of the README."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

from dbt_like_sql.contracts import LAYERS, Model
from dbt_like_sql.project import load_project
from dbt_like_sql.semantics.loading import packaged_semantics
from platform_core.bi.catalogue import datasets, dimensions, metrics
from platform_core.security.permissions import DESCRIPTIONS, ROLE_NAMES, Permission, Role, permissions_of
from platform_core.settings import Settings

ROOT = Path(__file__).parents[1]
PACKAGES = ("dbt_like_sql", "platform_core", "platform_assets", "platform_api", "platform_cli")
GENERAL_CODES = {
    "ERR_FORBIDDEN": "The caller may not do that; the detail names the permission that is missing.",
    "ERR_INTERNAL": "Something went wrong that was not expected; the log names it under the request's id.",
    "ERR_INVALID_JSON": "The body is not JSON.",
    "ERR_METHOD_NOT_ALLOWED": "The path exists, but not with this method.",
    "ERR_NOT_FOUND": "There is nothing at that path, or nothing that the caller may see.",
    "ERR_SERVICE_UNAVAILABLE": "Something that is needed is away; try again later.",
    "ERR_TOO_LARGE": "The body is larger than what is taken at once.",
    "ERR_UNAUTHORIZED": "The request does not say who asks, or not in a way that can be believed.",
    "ERR_UNSUPPORTED_TYPE": "The body is of a type that is not taken here.",
    "ERR_VALIDATION": "The request is not valid; the detail names each bad field.",
}
"""Codes without a class of their own, or with several."""
TREE_START, TREE_END = "<!-- tree -->", "<!-- /tree -->"


def settings_page() -> str:
    """Every setting: variable, default and meaning."""
    lines = ["# Settings", "", "Read from the environment.", "", "| variable | default | meaning |", "| --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        default = "the platform's user data folder" if name == "home" else field.default
        lines.append(f"| `TAKT_{name.upper()}` | {default} | {field.description} |")
    return "\n".join(lines) + "\n"


def _error_classes() -> Iterator[tuple[str, str, str]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if not isinstance(node, ast.ClassDef):
                    continue
                for statement in node.body:
                    target = statement.targets[0] if isinstance(statement, ast.Assign) else getattr(statement, "target", None)
                    value = getattr(statement, "value", None)
                    is_code = isinstance(target, ast.Name) and target.id == "code"
                    if is_code and isinstance(value, ast.Constant) and str(value.value).startswith("ERR_"):
                        summary = (ast.get_docstring(node) or "").partition("\n")[0]
                        yield str(value.value), node.name, summary


def errors_page() -> str:
    """Every error code with its class and meaning."""
    lines = ["# Error codes", "", "| code | class | meaning |", "| --- | --- | --- |"]
    lines += [f"| `{code}` | {name} | {summary} |" for code, name, summary in sorted(_error_classes())]
    return "\n".join(lines) + "\n"


def error_codes_file() -> str:
    """What the API says of each code: the English meanings of the code, and the Korean ones that stand there."""
    path = ROOT / "platform_api" / "error_codes.yml"
    known = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {}
    english = {code: summary for code, _, summary in sorted(_error_classes())} | GENERAL_CODES
    codes = {code: {"en": english[code], "ko": known.get(code, {}).get("ko", "")} for code in sorted(english)}
    return yaml.safe_dump(codes, allow_unicode=True, sort_keys=True, width=1000)


def _model_section(model: Model) -> list[str]:
    spec = model.spec
    lines = [f"### {model.relation}", "", spec.description.strip(), ""]
    lines += [f"Grain: {', '.join(spec.grain)}. {spec.materialized.replace('_', ' ').capitalize()}. Reads: "]
    lines[-1] += ", ".join(f"`{name}`" for name in model.upstreams) + "."
    if spec.freshness_hours is not None:
        lines[-1] += f" `is_fresh` warns when the newest date with rows ended over {spec.freshness_hours} hours ago."
    lines += ["", "| column | type | unit | meaning |", "| --- | --- | --- | --- |"]
    lines += [f"| `{c.name}` | {c.type} | {c.unit or ''} | {' '.join(c.description.split())} |" for c in spec.columns]
    if spec.checks:
        lines += ["", "| check | severity | meaning |", "| --- | --- | --- |"]
        lines += [f"| `{c.name}` | {c.severity} | {' '.join(c.description.split())} |" for c in spec.checks]
    return [*lines, ""]


def models_page() -> str:
    """Every model with its grain, columns and checks."""
    models = load_project().models.values()
    lines = ["# Models", ""]
    for layer in LAYERS:
        lines += [f"## {layer.capitalize()}", ""]
        for model in sorted((m for m in models if m.layer == layer), key=lambda m: m.name):
            lines += _model_section(model)
    return "\n".join(lines).rstrip() + "\n"


def metrics_page() -> str:
    """Every metric, dimension and dataset, from the YAML."""
    model = packaged_semantics()
    korean = {entry.name: entry.label for entry in metrics(model, "ko")}
    lines = ["# Metrics", "", "Defined in `dbt_like_sql/metrics`; asked for by `takt query`.", ""]
    lines += ["| metric | name | 이름 | unit | better | formula | meaning | ISO 22400-2 |", "| --- " * 8 + "|"]
    for entry in metrics(model):
        better = "" if entry.direction == "neutral" else entry.direction
        lines.append(
            f"| `{entry.name}` | {entry.label} | {korean[entry.name]} | {entry.unit} | {better} | `{entry.formula}` "
            f"| {entry.description} | {entry.iso22400 or ''} |"
        )
    lines += ["", "## Dimensions", "", "| dimension | name | hierarchy | meaning |", "| --- " * 4 + "|"]
    for each in dimensions(model):
        lines.append(f"| `{each.name}` | {each.label} | {' > '.join(each.hierarchy)} | {each.description} |")
    lines += ["", "Grains of time: hour, shift, day, week (ISO), month, quarter, year.", "", "## Datasets", ""]
    lines += ["| dataset | models, the fact first | dimensions |", "| --- " * 3 + "|"]
    for found in datasets(model):
        lines.append(f"| `{found.name}` | {', '.join(found.models)} | {', '.join(found.dimensions)} |")
    return "\n".join(lines) + "\n"


def permissions_page() -> str:
    """Every permission with the roles that have it, in both languages."""
    lines = ["# Permissions", "", "A user has those of its roles and its own; a token or key may be limited to some of them."]
    lines += ["`takt auth explain USER PERMISSION` says why.", ""]
    names = " | ".join(f"{role} ({ROLE_NAMES[role].ko})" for role in Role)
    lines += [f"| permission | meaning | 의미 | {names} |", "| --- " * (3 + len(Role)) + "|"]
    for permission in Permission:
        said = DESCRIPTIONS[permission]
        has = " | ".join("x" if permission in permissions_of(role) else "" for role in Role)
        lines.append(f"| `{permission}` | {said.en} | {said.ko} | {has} |")
    return "\n".join(lines) + "\n"


def tree() -> str:
    """The folders of the repository with the first sentence of each package's docstring."""
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    folders = sorted({"/".join(Path(f).parts[:-1][:2]) for f in listing.splitlines() if Path(f).parts[0] in PACKAGES})
    lines = ["```text"]
    for folder in folders:
        init = ROOT / folder / "__init__.py"
        doc = ast.get_docstring(ast.parse(init.read_text(encoding="utf-8"))) if init.is_file() else None
        first = (doc or "").partition("\n")[0]
        depth = folder.count("/")
        lines.append(f"{'    ' * depth + Path(folder).name + '/':<24}{first}".rstrip())
    return "\n".join([*lines, "```"])


def readme_with_tree() -> str:
    """The README with its folder tree made anew."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    before, _, rest = text.partition(TREE_START)
    _, _, after = rest.partition(TREE_END)
    return f"{before}{TREE_START}\n{tree()}\n{TREE_END}{after}"


def pages() -> dict[Path, str]:
    """Each generated file with what it should hold."""
    reference = ROOT / "docs" / "reference"
    return {
        reference / "settings.md": settings_page(),
        reference / "errors.md": errors_page(),
        reference / "models.md": models_page(),
        reference / "metrics.md": metrics_page(),
        reference / "permissions.md": permissions_page(),
        ROOT / "platform_api" / "error_codes.yml": error_codes_file(),
        ROOT / "README.md": readme_with_tree(),
    }


def main() -> int:
    """Write the pages; with --check only say which ones differ."""
    stale = [path for path, text in pages().items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    if "--check" in sys.argv:
        for path in stale:
            print(f"{path.relative_to(ROOT)} differs from the code; run `make docs`")
        return 1 if stale else 0
    for path, text in pages().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
