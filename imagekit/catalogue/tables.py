"""The catalogue's tables: authored as YAML beside this file, read as compiled JSON.

Reading YAML would cost more than everything else that an offline verb does. ``make catalogue``
compiles the tables anew, and a test holds the two to be the same.
"""

from __future__ import annotations

import json
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, get_origin, get_type_hints

import yaml

from imagekit.catalogue import rows

TABLES: dict[str, type[rows.Row]] = {
    "os": rows.OsRelease,
    "locales": rows.Language,
    "cuda": rows.CudaVersion,
    "cuda_wheels": rows.CudaWheels,
    "cuda_conda": rows.CudaConda,
    "conda_pythons": rows.CondaPython,
    "cuda_recipes": rows.CudaRecipe,
    "frameworks": rows.FrameworkBuild,
    "images": rows.BaseImage,
    "architectures": rows.Architecture,
    "gpus": rows.Gpu,
    "drivers": rows.DriverBranch,
    "mirrors": rows.Mirror,
}
"""All tables by name: the stem of the YAML file, and the kind of its rows."""

_FOLDER = Path(__file__).parent
_R = TypeVar("_R", bound=rows.Row)


def table(kind: type[_R]) -> tuple[_R, ...]:
    """All rows of a kind, in the order of the YAML file."""
    return _read(kind)  # type: ignore[return-value, arg-type]


@cache
def _read(kind: type[rows.Row]) -> tuple[rows.Row, ...]:
    (name,) = (name for name, its in TABLES.items() if its is kind)
    data = json.loads((_FOLDER / "compiled" / f"{name}.json").read_text("utf-8"))
    return tuple(kind(**{key: _frozen(value) for key, value in row.items()}) for row in data)


def _frozen(value: Any) -> Any:
    """JSON's lists as tuples, all the way down."""
    if isinstance(value, list):
        return tuple(_frozen(item) for item in value)
    if isinstance(value, dict):
        return {key: _frozen(item) for key, item in value.items()}
    return value


def compile_table(name: str) -> str:
    """A table's YAML as the JSON that stands beside it, one row a line.

    A file is a list of rows. Rows may leave out what they share with all others of the
    file: such keys stand in a first item ``defaults: {…}``. Texts and lists that are left
    out altogether are empty, switches false.

    Raises:
        ValueError: a row has a key that its kind does not have, or lacks a source.
    """
    kind = TABLES[name]
    loader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # text only, no implicit types
    text = (_FOLDER / f"{name}.yaml").read_text("utf-8")
    authored: list[dict[str, Any]] = yaml.load(text, Loader=loader)  # noqa: S506  (builds text only)
    defaults: dict[str, Any] = {}
    if authored and set(authored[0]) == {"defaults"}:
        defaults = authored.pop(0)["defaults"]
    lines = [
        json.dumps(_complete(kind, {**defaults, **row}), ensure_ascii=False) for row in authored
    ]
    return "[\n" + ",\n".join(lines) + "\n]\n"


def _complete(kind: type[rows.Row], row: dict[str, Any]) -> dict[str, Any]:
    """A row with every key of its kind, typed."""
    hints = get_type_hints(kind)
    if unknown := sorted(set(row) - set(hints)):
        raise ValueError(f"{kind.__name__}: unknown keys {unknown} in {row}")
    if not row.get("source") or not row.get("date"):
        raise ValueError(f"{kind.__name__}: no source or no date: {row}")
    complete: dict[str, Any] = {}
    for field in fields(kind):
        wanted = hints[field.name]
        if wanted is bool:
            complete[field.name] = row.get(field.name) == "true"
        else:
            empty: Any = "" if wanted is str else {} if get_origin(wanted) is dict else []
            complete[field.name] = row.get(field.name, empty)
    return complete
