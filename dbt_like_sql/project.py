"""The project: every model with its contract, in the order in which they can be filled."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from types import MappingProxyType

from sqlglot import TokenType
from sqlglot.dialects.postgres import Postgres

from dbt_like_sql.compile import KNOWN_PARAMETERS, PARAMETERS, name_of, parameters, parse_query, relations
from dbt_like_sql.contracts import LAYERS, SCHEMA_OF_LAYER, Layer, Model, ModelSpec
from dbt_like_sql.contracts_file import read_spec
from dbt_like_sql.errors import ModelError

MODELS = Path(__file__).parent / "models"
"""The models that the package ships."""


@dataclass(frozen=True)
class Project:
    """All models by relation (`bi.fact_daily_production`), upstreams before their readers."""

    models: Mapping[str, Model]

    @property
    def dated(self) -> tuple[str, ...]:
        """Relations of the models that are filled date by date, upstreams first."""
        return tuple(relation for relation, model in self.models.items() if model.is_dated)

    def model(self, name: str) -> Model:
        """The model by relation or by bare name; raises ModelError with the nearest names."""
        found = self.models.get(name) or next((m for m in self.models.values() if m.name == name), None)
        if found is not None:
            return found
        names = [*self.models, *(model.name for model in self.models.values())]
        close = get_close_matches(name, names, n=3, cutoff=0.5)
        hint = f"Did you mean {' or '.join(close)}?" if close else f"There are: {', '.join(self.models)}."
        raise ModelError(f"there is no model {name!r}.", hint=hint)

    def downstream(self, relation: str) -> tuple[str, ...]:
        """Models that read `relation` themselves, in order; `relation` may also be a table of `core`."""
        return tuple(name for name, model in self.models.items() if relation in model.upstreams)

    def descendants(self, relation: str) -> tuple[str, ...]:
        """Models that read `relation` directly or through others, in order."""
        reached = {relation}
        for name, model in self.models.items():  # topological order: one pass is enough
            if reached & set(model.upstreams):
                reached.add(name)
        return tuple(name for name in self.models if name in reached and name != relation)


def load_project(root: Path | None = None) -> Project:
    """Read and check every pair of .sql and .yml in the layer folders of `root` (default: the packaged models).

    Raises ModelError with everything that is wrong in one go, each complaint on a line of its own; a cycle is shown.
    """
    folder = root or MODELS
    complaints: list[str] = []
    models: dict[str, Model] = {}
    for layer, path in _pairs(folder, complaints):
        try:
            model = load_model(path, layer)
        except ModelError as error:
            complaints.append(str(error))
            continue
        if model.relation in models:
            complaints.append(f"{path}: the name {model.relation} is taken by {models[model.relation].path}.")
        models[model.relation] = model
    if not complaints:  # a file that could not be read would make its readers complain too
        complaints += _unknown_upstreams(models)
    if complaints:
        raise ModelError("\n".join(complaints))
    return Project(MappingProxyType({relation: models[relation] for relation in _ordered(models)}))


def load_model(path: Path, layer: Layer) -> Model:
    """One model from its .sql and the .yml beside it; raises ModelError."""
    spec = read_spec(path.with_suffix(".yml"))
    sql = path.read_text(encoding="utf-8")
    query = parse_query(sql, where=str(path))
    names: set[str] = set()
    for table in relations(query):
        if not table.db:
            raise ModelError(f"{path}: reads {table.name!r} without its schema.", hint="Write schema.name in models.")
        names.add(name_of(table))
    if unknown := parameters(sql) - PARAMETERS:
        asked = ", ".join(f":{name}" for name in sorted(unknown))
        raise ModelError(f"{path}: asks for {asked}, which no model is given.", hint=KNOWN_PARAMETERS)
    return Model(path.stem, layer, spec, sql, path, tuple(sorted(names)), digest(sql, spec))


def digest(sql: str, spec: ModelSpec) -> str:
    """Hash of what decides a model's rows: the SQL's words (comments, layout and case apart), grain, columns and types.

    It is made of tokens and not of generated SQL, so a newer SQL library does not make every model look changed.
    """
    words = [
        f"{token.token_type.name}:{token.text}"
        if token.token_type in (TokenType.STRING, TokenType.IDENTIFIER)
        else token.text.lower()
        for token in Postgres().tokenize(sql)
        if token.token_type != TokenType.SEMICOLON
    ]
    shape = [f"{column.name} {column.type}" for column in spec.columns]
    text = "\n".join([*words, "--", *shape, "--", *spec.grain, "--", str(spec.lookback_days)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _pairs(folder: Path, complaints: list[str]) -> Iterable[tuple[Layer, Path]]:
    """The .sql of each complete pair; what is not one goes to `complaints`."""
    if not folder.is_dir():
        raise ModelError(f"{folder} is not a folder of models.")
    for path in sorted(folder.rglob("*")):
        if path.suffix not in (".sql", ".yml", ".yaml") or not path.is_file():
            continue
        layer: Layer | None = next((layer for layer in LAYERS if path.parent == folder / layer), None)
        if layer is None:
            complaints.append(f"{path}: lies outside the layer folders {', '.join(LAYERS)}.")
        elif path.suffix == ".yaml":
            complaints.append(f"{path}: a contract ends in .yml.")
        elif not path.with_suffix(".yml" if path.suffix == ".sql" else ".sql").exists():
            missing = "contract (.yml)" if path.suffix == ".sql" else "SELECT (.sql)"
            complaints.append(f"{path}: has no {missing} beside it.")
        elif path.suffix == ".sql":
            yield layer, path


def _unknown_upstreams(models: Mapping[str, Model]) -> list[str]:
    ours = set(SCHEMA_OF_LAYER.values())
    complaints: list[str] = []
    for model in models.values():
        for upstream in model.upstreams:
            if upstream.partition(".")[0] in ours and upstream not in models:
                close = get_close_matches(upstream, models, n=1)
                advice = f"; did you mean {close[0]}?" if close else "."
                complaints.append(f"{model.path}: reads {upstream}, which no model makes{advice}")
    return complaints


def _ordered(models: Mapping[str, Model]) -> list[str]:
    """Relations with upstreams first, then by layer and name, so that the order never depends on the file system."""
    rank = {relation: (LAYERS.index(model.layer), relation) for relation, model in models.items()}
    sorter = TopologicalSorter({r: [u for u in m.upstreams if u in models] for r, m in models.items()})
    try:
        sorter.prepare()
    except CycleError as error:
        cycle = " -> ".join(reversed(error.args[1]))
        raise ModelError(f"the models read each other in a circle: {cycle} (each reads the next).") from error
    ordered: list[str] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready(), key=lambda relation: rank[relation])
        ordered += ready
        sorter.done(*ready)
    return ordered
