"""A plan becomes a build context: the Dockerfile and the files that it copies.

Pure and offline. The templates hold the text, the plan holds the decisions; what
templates may do is kept small on purpose (output through a filter, ``if`` of a name,
``for``, ``include``).
"""

from __future__ import annotations

import json
import shlex
import stat
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from imagekit import assets
from imagekit.context import DOCKERFILE, Context, ContextFile
from imagekit.names import SSH_PORT, WEB_PORT, labels
from imagekit.plan.model import Plan

# @novnc/novnc 1.7.0, dist.integrity of the npm registry in hexadecimal (looked up 2026-11-23).
_NOVNC_SHA512 = (
    "b9c1093b1e13d9abc844295ea1d93b6286d98f93b619ad8078b7d0ebd03fca31"
    "bd1c76dadbe3c38304a437716db6b986fbbd191b1db5b0494d168b8ad77473c8"
)


def render(plan: Plan) -> Context:
    """Write out the plan.

    Returns:
        ``Dockerfile``, ``settings``, ``build/…`` (used during the build only) and
        ``rootfs/<feature>/…`` (copied as they are), sorted by path. Equal plans give
        equal bytes.
    """
    root = assets.folder("templates")
    values = _values(plan)
    environment = _environment(root)
    dockerfile = environment.get_template("Dockerfile.j2").render(values)
    settings = environment.get_template("settings.j2").render(values)
    files = [
        ContextFile(DOCKERFILE, dockerfile.encode()),
        ContextFile("settings", settings.encode()),
        *_copied(root, "build"),
    ]
    for feature in values["rootfs"]:
        files.extend(_copied(root, f"rootfs/{feature}"))
    return Context(tuple(sorted(files)))


def _values(plan: Plan) -> dict[str, Any]:
    """All names that templates may use."""
    apt = dict(plan.apt)
    services = [("base", True), ("sshd", plan.sshd), ("desktop", plan.desktop)]
    present = [feature for feature, value in services if value]
    ports = [(SSH_PORT, plan.sshd), (WEB_PORT, plan.desktop)]
    return {
        "plan": plan,
        "digest": plan.digest,
        "apt": {feature: apt.get(feature, ()) for feature in (*present, "locale", "packages")},
        "apt_cache": f"imagekit-{plan.os.id}-apt",
        "trunk": [*present[1:], "locale"],
        "rootfs": present,
        "desktop": plan.desktop is not None,
        "packages": "packages" in apt,
        "sudo": plan.user.sudo,
        "sshd_password": plan.sshd is not None and plan.sshd.password,
        "environment": (
            ("LANG", plan.locale.lang),
            ("TZ", plan.locale.timezone),
            *plan.env,
        ),
        "labels": labels(plan),
        "ports": [port for port, value in ports if value],
        "novnc_sha512": _NOVNC_SHA512,
    }


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
        "lang": lambda name: str(name).partition(".")[0],
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
