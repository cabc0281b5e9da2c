# SPDX-License-Identifier: Apache-2.0
"""`docs/configuration.md` and the JSON schemas of line, recipe and manifest, made from the models.

`python -m tests.builders.settings` writes them. Units, defaults and reasons are those of the code.
"""

import ast
import inspect
import json
import re
from collections.abc import Iterator
from enum import Enum
from functools import cache
from pathlib import Path

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from station.config.line import Config
from station.config.sentences import models_in
from station.recipe.files.laboratory_file import LaboratoryFile
from station.recipe.files.tables import Manifest, RecipeFile

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "configuration.md"
SCHEMAS = DOCS / "schemas"
FILES: dict[str, tuple[str, type[BaseModel]]] = {
    "line": ("The line's configuration", Config),
    "recipe": ("Recipe", RecipeFile),
    "laboratory": ("A laboratory's recipe", LaboratoryFile),
    "manifest": ("Manifest of the images", Manifest),
}
SECONDS = re.compile(r"(_within|^within|_every)$")
HEAD = """# Configuration

Every setting of the files that people write, made from the code by `python -m tests.builders.settings`. A relative path is meant from
the folder of its file. The environment overrides the line's file: `STATION__PKI__URL` stands for `[pki] url`. Numbers stand without
quotes. `station config check --config FILE` tells all mistakes at once. `docs/schemas/` has the same as JSON schemas, for editors: with
Taplo, `#:schema docs/schemas/line.json` in a file's first line.
"""


@cache
def _reasons(source: Path) -> dict[tuple[str, str], str]:
    """The docstrings below the settings of a module, by class and setting."""
    found = {}
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ClassDef):
            continue
        for field, text in zip(node.body, node.body[1:], strict=False):
            match field, text:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(words))):
                    found[node.name, name] = " ".join(words.split())
                case _:
                    pass
    return found


def reason(model: type[BaseModel], name: str) -> str:
    """Why there is this setting; empty if the code does not say it."""
    said = _reasons(Path(inspect.getfile(model))).get((model.__name__, name))
    inner = list(models_in(model.model_fields[name].annotation))
    if said is None and inner:
        return " ".join((inner[0].__doc__ or "").split())
    return said or ""


def tables(model: type[BaseModel], name: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Every table of a file, by its heading."""
    yield name, model
    for key, field in model.model_fields.items():
        for inner in models_in(field.annotation):
            yield from tables(inner, f"{name}.{key}".lstrip("."))


def _default(field: FieldInfo) -> str:  # noqa: PLR0911  a case a type
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True) if field.default_factory is None else {}
    match value:
        case None:
            return "unset"
        case Path() if value.is_relative_to(DOCS.parent):
            return f"`{value.relative_to(DOCS.parent)}` of the station"
        case bool():
            return f"`{str(value).lower()}`"
        case Enum() | str() | Path():
            return f'`"{value}"`'
        case int() | float():
            return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"
        case _:
            return "empty"


def _unit(name: str) -> str:
    if SECONDS.search(name):
        return "s"
    return {
        "baudrate": "baud",
        "keep_alive": "s",
        "deadline": "s",
        "hold_hours": "h",
        "keep_local_days": "days",
        "size": "units",
        "within_boards": "boards",
        "transcript_days": "days",
        "transcripts_mib": "MiB",
    }.get(name, "")


def page() -> str:
    """The page of all settings."""
    parts = [HEAD]
    for title, model in FILES.values():
        parts.append(f"\n## {title}\n")
        for heading, table in tables(model):
            parts.append(f"\n### {f'`[{heading}]`' if heading else 'Above the first table'}\n\n")
            parts.append("| setting | unit | default | reason |\n|---|---|---|---|\n")
            for name, field in table.model_fields.items():
                row = (f"`{field.alias or name}`", _unit(name), _default(field), reason(table, name))
                parts.append(f"| {' | '.join(row)} |\n")
    return "".join(parts)


def schema(model: type[BaseModel]) -> str:
    """The JSON schema of a file, with the reasons as descriptions."""
    made = model.model_json_schema(by_alias=True, mode="validation")
    by_name = {table.__name__: table for _, table in tables(model)}
    for name, definition in {**made.get("$defs", {}), model.__name__: made}.items():
        for key, field in by_name[name].model_fields.items() if name in by_name else ():
            setting = definition["properties"][field.alias or key]
            setting["description"] = reason(by_name[name], key)
            if "Version" in str(field.annotation):  # written as text
                setting.pop("anyOf", None)
                setting.pop("$ref", None)
                setting["type"] = "string"
            if isinstance(field.default, Path):
                setting.pop("default", None)
    return json.dumps(made, indent=2, sort_keys=True) + "\n"


def write() -> None:
    """Writes page and schemas."""
    PAGE.write_text(page(), encoding="utf-8")
    SCHEMAS.mkdir(exist_ok=True)
    for name, (_, model) in FILES.items():
        (SCHEMAS / f"{name}.json").write_text(schema(model), encoding="utf-8")


if __name__ == "__main__":
    write()
