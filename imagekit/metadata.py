"""What was built, as JSON for whoever goes on with it; docs/metadata.md has the shape."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagekit import atomic
from imagekit.errors import InputError, Message, WorkFailedError
from imagekit.plan.model import Plan
from imagekit.steps import short_name

if TYPE_CHECKING:
    # These import docker-py, and a wrong path is to be found before anything is contacted.
    from imagekit.build import Built
    from imagekit.engine.connection import Engine


def check_path(text: str, option: str = "--metadata-file") -> Path:
    """The file to write, links followed, when it can be written.

    Args:
        text: the path as a person gave it.
        option: what takes it, for the message.

    Raises:
        InputError: it cannot.
    """
    path = Path(text).resolve()
    if what := unwritable(path):
        raise InputError(Message(text, what, f"{option} takes a file in a folder that is there"))
    return path


def unwritable(path: Path) -> str:
    """Why a file cannot be written; empty when it can."""
    folder = path.parent
    if path.exists() and not path.is_file():
        return "is a folder" if path.is_dir() else "is no regular file"
    if not folder.is_dir():
        return f"there is no folder {folder}"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"you may not write to {folder}"
    return ""


def check_folder(text: str, option: str) -> Path:
    """The folder to write to, links followed, when it is there or can be made.

    Args:
        text: the path as a person gave it.
        option: what takes it, for the message.

    Raises:
        InputError: it can be neither written nor made.
    """
    path = Path(text).resolve()
    there = path if path.exists() else path.parent
    if path.exists() and not path.is_dir():
        what = "is no folder"
    elif not there.is_dir():
        what = f"there is no folder {there}"
    elif not os.access(there, os.W_OK | os.X_OK):
        what = f"you may not write to {there}"
    else:
        return path
    raise InputError(Message(text, what, f"{option} takes a folder, or a name for a new one"))


def describe(builds: Sequence[tuple[Plan, Built]], engine: Engine, version: str) -> dict[str, Any]:
    """All that was built at once.

    Args:
        builds: plans and the images made of them.
        engine: where they are.
        version: imagekit's own.
    """
    return {
        "version": 1,
        "imagekit": version,
        "engine": {
            "version": engine.version,
            "api": engine.api_version,
            "store": engine.store,
        },
        "builds": [_build(plan, built) for plan, built in builds],
    }


def _build(plan: Plan, built: Built) -> dict[str, Any]:
    return {
        "profile": plan.profile,
        "plan": plan.digest,
        "image": built.image_id,
        "digests": list(built.digests),
        "tags": list(built.tags),
        "platform": built.platform,
        "size": built.size,
        "seconds": round(built.seconds, 3),
        "base": {"reference": built.base.reference, "image": built.base.image_id},
        "steps": [
            {
                "name": short_name(step.name),
                "seconds": round(step.seconds, 3),
                "cached": step.cached,
            }
            for step in built.steps
        ],
    }


def write(path: Path, described: dict[str, Any]) -> None:
    """Write the file whole or not at all.

    Raises:
        WorkFailedError: it could not be written; what was there before is there still.
    """
    text = json.dumps(described, indent=2, ensure_ascii=False)
    try:
        with atomic.written(path) as file:
            file.write(f"{text}\n".encode())
    except OSError as error:
        raise WorkFailedError(Message(str(path), f"cannot be written: {error.strerror}")) from error
