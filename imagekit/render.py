"""A plan becomes a build context: the Dockerfile and the files that it copies.

Pure and offline. The templates hold the text, the plan holds the decisions; what
templates may do is kept small on purpose (output through a filter, ``if`` of a name,
``for``, ``include``).
"""

from __future__ import annotations

import json
import shlex
import stat
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from imagekit import assets
from imagekit.context import DOCKERFILE, Context, ContextFile
from imagekit.layout import layout
from imagekit.plan.model import Plan


def render(plan: Plan) -> Context:
    """Write out the plan.

    Returns:
        ``Dockerfile``, ``settings``, ``build/…`` (used during the build only),
        ``rootfs/<feature>/…`` (copied as they are) and ``files/…`` (the profile's own),
        sorted by path. Equal plans give equal bytes.

    Raises:
        InputError: the plan asks for what no Dockerfile of ours could do.
    """
    root = assets.folder("templates")
    laid = layout(plan)
    environment = _environment(root)
    dockerfile = environment.get_template("Dockerfile.j2").render(laid.values)
    settings = environment.get_template("settings.j2").render(laid.values)
    files = [
        ContextFile(DOCKERFILE, dockerfile.encode()),
        ContextFile("settings", settings.encode()),
        *(file for file in _copied(root, "build") if _folder(file) not in laid.left_out),
        *(ContextFile(f"files{file.path}", file.data) for file in plan.files),
    ]
    for feature in laid.rootfs:
        files.extend(_copied(root, f"rootfs/{feature}"))
    return Context(tuple(sorted(files)))


def render_questions(plan: Plan, wanted: Iterable[ContextFile]) -> Context:
    """The build that finds the checksums of what a plan's image has.

    Args:
        plan: the image's plan. The image itself is told as ``ARG IMAGE``.
        wanted: lists for ``templates/lock/lock.sh``, whose head says which.

    Returns:
        A context whose image holds the answers in ``/imagekit-lock``.
    """
    root = assets.folder("templates")
    values = layout(plan).values
    index = plan.python.index if plan.python else ""
    dockerfile = _environment(root).get_template("lock/Dockerfile.j2")
    scripts = [
        *_copied(root, "build"),
        *(file for file in _copied(root, "lock") if file.path.endswith(".sh")),
    ]
    text = dockerfile.render({**values, "index": index})
    files = (
        ContextFile(DOCKERFILE, text.encode()),
        *(replace(file, path=f"build/{file.path.removeprefix('build/')}") for file in scripts),
        *wanted,
    )
    return Context(tuple(sorted(files)))


def frozen_scripts() -> tuple[ContextFile, ...]:
    """What makes the steps of a context take what a lock file has, by being there.

    The steps of apt see the lists in ``build/base/frozen``, those of the environment the
    ones in ``build/python/frozen``.
    """
    files = ((file, file.path.split("/")) for file in _copied(assets.folder("templates"), "frozen"))
    return tuple(
        replace(file, path=f"build/{folder}/frozen/{name}") for file, (_, folder, name) in files
    )


@cache
def _environment(root: Path) -> jinja2.Environment:
    environment = ImmutableSandboxedEnvironment(
        loader=jinja2.FileSystemLoader(root),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    filters: dict[str, Callable[[Any], str]] = {
        "sh": shlex.quote,
        "json": json.dumps,
        "dockerfile": _dockerfile_quoted,
        "comment": _comment,
        "file": lambda url: str(url).rpartition("/")[2],
    }
    environment.filters = filters
    return environment


def _dockerfile_quoted(value: str) -> str:
    """A value of ENV, LABEL or ARG in double quotes, taken literally.

    Backslash, double quote and dollar are what means something there
    (https://docs.docker.com/reference/dockerfile/#environment-replacement).
    """
    if "\n" in value or "\r" in value:
        raise ValueError(f"a Dockerfile value of more than one line: {value!r}")
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return f'"{escaped}"'


def _comment(value: str) -> str:
    """Text for a comment line: whatever could end the line becomes a space."""
    return "".join(char if char.isprintable() else " " for char in str(value))


def _folder(file: ContextFile) -> str:
    return file.path.rpartition("/")[0]


def _copied(root: Path, folder: str) -> list[ContextFile]:
    """All files below a template folder, as they are."""
    return [
        ContextFile(
            path=path.relative_to(root).as_posix(),
            data=path.read_bytes(),
            executable=bool(path.stat().st_mode & stat.S_IXUSR),
        )
        for path in sorted((root / folder).rglob("*"))
        if path.is_file()
    ]
