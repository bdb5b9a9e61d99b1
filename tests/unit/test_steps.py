"""Steps as BuildKit names them, and where they stand in a Dockerfile."""

from __future__ import annotations

from pathlib import Path

import dockerfile
import pytest

from imagekit import steps
from imagekit.steps import Place

GOLDEN = sorted((Path(__file__).parent.parent / "golden").glob("*/Dockerfile"))
RUN = (
    "[image 3/9] RUN --mount=type=bind,source=build,target=/run/imagekit-build     "
    "--mount=type=secret,id=ca     . /run/imagekit-build/env.sh && "
    ". /run/imagekit-build/python.sh &&     environment_pip /opt/venv     six"
)
TEXT = """\
ARG BASE=debian
# FROM nothing
FROM ${BASE} AS base
RUN first && \\
# a comment inside
    FROM && \\

    RUN second
FROM base AS side
WORKDIR /x
FROM base
ENV A=1
COPY --from=side /x /x
RUN last
"""


@pytest.mark.parametrize(
    ("name", "short"),
    [
        (RUN, "[image 3/9] RUN environment_pip /opt/venv six"),
        ("[web 2/2] RUN --mount=type=tmpfs,target=/tmp id", "[web 2/2] RUN id"),
        ("a\n  b", "a b"),
        ("", ""),
    ],
)
def test_a_step_is_named_by_what_tells_it_from_others(name: str, short: str) -> None:
    assert steps.short_name(name) == short


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("[image 3/9] RUN x", Place("image", 3, 9)),
        ("[image  3/14] RUN x", Place("image", 3, 14)),  # aligned
        ("[linux/amd64 stage-1 3/9] RUN x", Place("stage-1", 3, 9)),
        ("image 3/9", Place("image", 3, 9)),
        ("exporting to image", None),
        ("[internal] load build definition from Dockerfile", None),
        ("image 3", None),
        ("image 3/9 and more", None),
        ("", None),
    ],
)
def test_the_place_stands_in_front(name: str, place: Place | None) -> None:
    assert steps.place(name) == place


def test_steps_are_counted_as_buildkit_does() -> None:
    assert list(map(str, steps.places(TEXT))) == [
        "base 2/2",
        "side 1/1",
        "stage-2 1/2",
        "stage-2 2/2",
    ]


@pytest.mark.parametrize(
    ("place", "last"),
    [
        ("base 2/2", "FROM ${BASE} AS base"),
        ("side 1/1", "FROM base AS side"),
        ("stage-2 1/2", "ENV A=1"),
        ("stage-2 2/2", "COPY --from=side /x /x"),
    ],
)
def test_a_dockerfile_ends_before_a_step(place: str, last: str) -> None:
    step = steps.place(place)
    assert step
    text = steps.before(TEXT, step)
    assert TEXT.startswith(text)
    assert text.splitlines()[-1] == last


@pytest.mark.parametrize("step", [Place("base", 3, 2), Place("base", 1, 2), Place("nothing", 1, 1)])
def test_there_is_nothing_before_a_step_that_is_not_there(step: Place) -> None:
    with pytest.raises(KeyError):
        steps.before(TEXT, step)


@pytest.mark.parametrize("file", GOLDEN, ids=lambda file: file.parent.name)
def test_what_is_before_a_step_is_a_dockerfile(file: Path) -> None:
    """By BuildKit's own parser: the step's line is the next one that it sees."""
    text = file.read_text("utf-8")
    words = [command.cmd.upper() for command in dockerfile.parse_string(text)]
    found = steps.places(text)
    assert found[0].stage == "base"
    for place in found:
        before = [one.cmd.upper() for one in dockerfile.parse_string(steps.before(text, place))]
        assert before == words[: len(before)]
        assert words[len(before)] in {"RUN", "COPY"}
