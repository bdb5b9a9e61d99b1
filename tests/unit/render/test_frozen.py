"""What is rendered to ask an image for a lock, and to build from one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from imagekit import render
from imagekit.context import ContextFile
from imagekit.plan.model import Plan

Planned = Callable[[str], Plan]


def test_questions_are_asked_in_the_image_with_the_build_s_own_scripts(planned: Planned) -> None:
    plan = planned("framework: pytorch")
    assert plan.python is not None
    plan = replace(plan, python=replace(plan.python, version="3.11", index="cu128"))
    wanted = (ContextFile("build/lock/apt", b"tini 1 amd64\n"),)
    context = render.render_questions(plan, wanted)
    paths = {file.path for file in context.files}
    assert {
        "build/base/env.sh",
        "build/python/python.sh",
        "build/lock/lock.sh",
        "build/lock/apt",
    } <= paths
    assert not {path for path in paths if path.startswith("rootfs/")}
    # The environment's wheels come from PyTorch's index, and their checksums do.
    assert "lock_python /opt/venv 3.11 cu128 /imagekit-lock" in context.dockerfile


def test_without_an_environment_nothing_is_asked_of_python(planned: Planned) -> None:
    plan = replace(planned(""), python=None)
    assert "lock_python" not in render.render_questions(plan, ()).dockerfile


def test_a_frozen_context_differs_by_its_scripts_alone(planned: Planned) -> None:
    plan = planned("")
    scripts = render.frozen_scripts()
    assert {file.path for file in scripts} == {
        "build/base/frozen/apt.sh",
        "build/python/frozen/python.sh",
    }
    assert not {*scripts} & {*render.render(plan).files}
