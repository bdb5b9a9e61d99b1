"""Which images of profiles go, and which stay."""

from __future__ import annotations

from typing import Any

import pytest

from imagekit import gc, names
from imagekit.engine import inventory
from imagekit.engine.images import ImageFacts
from imagekit.engine.inventory import Holding, Usage
from imagekit.render import render
from tests.unit.conftest import Planned


def image(number: int, plan: str, *tags: str, profile: str = "x") -> ImageFacts:
    """An image; a higher number is a younger one."""
    return ImageFacts(
        id=f"sha256:{number:064x}",
        labels={names.PROFILE_LABEL: profile, names.PLAN_LABEL: plan * 64},
        size=1,
        created=f"2026-01-01T00:00:{number:02}Z",
        tags=tags,
        os="linux",
        architecture="amd64",
    )


def decided(
    *found: ImageFacts, used: tuple[ImageFacts, ...] = (), registry: str = ""
) -> dict[int, str]:
    """Number of each image to ``go`` or ``stay``."""
    ids = {each.id: "a container uses it" for each in used}
    return {
        int(each.id.removeprefix("sha256:"), 16): "go" if goes else "stay"
        for each, goes, _ in gc.verdicts(found, ids, registry)
    }


def test_the_two_newest_plans_of_each_profile_stay() -> None:
    found = [image(n, p, f"imagekit/x:{p * 12}") for n, p in enumerate("abcd")]
    other = image(9, "a", "imagekit/y:latest", profile="y")
    assert decided(*found, other) == {0: "go", 1: "go", 2: "stay", 3: "stay", 9: "stay"}


def test_what_a_container_uses_stays() -> None:
    found = [image(n, p, f"imagekit/x:{p * 12}") for n, p in enumerate("abcd")]
    assert decided(*found, used=(found[0],))[0] == "stay"


def test_a_name_of_somebody_s_own_keeps_an_image() -> None:
    found = [image(n, p) for n, p in enumerate("abc", 1)]
    exam = image(0, "e", f"imagekit/x:{'e' * 12}", "imagekit/x:exam")
    assert decided(*found, exam) == {0: "stay", 1: "go", 2: "stay", 3: "stay"}


def test_names_in_the_site_s_registry_are_ours_and_in_another_are_not() -> None:
    tag = f"r.example/lab/x:{'a' * 12}-{'0' * 12}"
    found = [image(n, p) for n, p in enumerate("bc", 1)]
    old = image(0, "a", tag, f"r.example/lab/x:{'a' * 12}")
    assert decided(*found, old, registry="r.example/lab")[0] == "go"
    assert decided(*found, old)[0] == "stay"


def test_a_name_to_build_on_is_ours() -> None:
    found = [image(n, p) for n, p in enumerate("bc", 1)]
    assert decided(*found, image(0, "a", "localhost/imagekit/from:0123456789ab"))[0] == "go"


def test_a_plan_that_was_built_again_keeps_the_newer_image() -> None:
    assert decided(image(1, "a"), image(2, "a", "imagekit/x:latest")) == {1: "go", 2: "stay"}


def test_what_is_called_latest_counts_as_the_newest_whatever_its_time() -> None:
    back = image(0, "a", "imagekit/x:latest")
    found = [back, *(image(n, p) for n, p in enumerate("bc", 1))]
    assert decided(*found) == {0: "stay", 1: "go", 2: "stay"}


def test_times_are_ordered_by_their_fractions() -> None:
    older, newer = image(1, "a"), image(1, "a")
    assert gc._rank(older) == gc._rank(newer)
    times = ["2026-01-01T00:00:01Z", "2026-01-01T00:00:01.5Z", "2026-01-01T00:00:01.51Z"]
    found = [
        ImageFacts(f"sha256:{n}", image(n, p).labels, 1, time, (), "linux", "amd64")
        for n, (p, time) in enumerate(zip("abc", times, strict=True))
    ]
    assert [goes for _, goes, _ in gc.verdicts(found, {})] == [False, False, True]
    assert [each.id for each, _, _ in gc.verdicts(found, {})][-1] == "sha256:0"


def test_every_dockerfile_ends_with_the_step_that_images_are_known_by(planned: Planned) -> None:
    assert render(planned("")).dockerfile.rstrip().endswith(f"\n{gc.LAST_STEP}")


def unlabelled(number: int, *tags: str) -> ImageFacts:
    return ImageFacts(f"sha256:{number}", {}, 1, "", tags, "linux", "amd64")


@pytest.mark.parametrize(
    ("repository", "reason"),
    [
        ("imagekit-lock", "was left by a lock that did not end"),
        ("localhost/imagekit/from", "its own name is gone, or a newer one has it"),
    ],
)
def test_what_has_only_names_of_our_own_goes(
    monkeypatch: pytest.MonkeyPatch, repository: str, reason: str
) -> None:
    left, used, named = (
        unlabelled(1, f"{repository}:a"),
        unlabelled(2, f"{repository}:b"),
        unlabelled(3, f"{repository}:c", "mine:1"),
    )
    of_a_profile = image(4, "a", f"{repository}:d")  # judged by its plan
    old = Holding("c1", "odd_name", {names.RUN_LABEL: "0"}, gc.RUN_SECONDS, used.id)
    engine: Any = object()

    def named_images(_engine: object, pattern: str) -> tuple[ImageFacts, ...]:
        return (left, used, named, of_a_profile) if pattern == f"{repository}:*" else ()

    monkeypatch.setattr(inventory, "named_images", named_images)
    monkeypatch.setattr(inventory, "labelled_images", lambda *_: ())
    monkeypatch.setattr(inventory, "networks", lambda *_: ())
    monkeypatch.setattr(inventory, "containers", lambda _engine: (old,))
    monkeypatch.setattr(inventory, "usage", lambda _engine: Usage(0, 0))
    found = gc.survey(engine, gc.Wanted()).items
    assert [(item.kind, item.id, item.goes, item.reason) for item in found] == [
        ("container", "c1", True, "left by a run 120 min ago"),
        ("image", left.id, True, reason),
        ("image", used.id, False, "a container uses it"),
    ]
    # It belongs to no profile.
    assert gc.survey(engine, gc.Wanted(frozenset({"x"}))).items == ()
