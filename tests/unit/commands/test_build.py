"""`imagekit build`: what is built, and what it prints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import pytest

from imagekit import build
from imagekit.bases import Base
from imagekit.build import Built, Options
from imagekit.engine import connection
from imagekit.errors import Message, WorkFailedError
from imagekit.events import Emit, Notice
from imagekit.plan.model import Plan
from imagekit.site import Site


class Ended(Protocol):
    code: int | str | None
    out: str
    err: str


RunCli = Callable[..., Ended]
Calls = list[tuple[str, Site, Options]]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """What was built; a profile called ``bad`` fails."""
    made: Calls = []

    def fake(engine: object, plan: Plan, site: Site, options: Options, on_event: Emit) -> Built:
        made.append((plan.profile, site, options))
        on_event(Notice("building"))
        if plan.profile == "bad":
            raise WorkFailedError(Message("bad", "failed"))
        tags = (f"imagekit/{plan.profile}:latest", *options.tags)
        return Built("sha256:1", tags, 250_400_000, 3.21, 9, 4, Base("b", "sha256:2"))

    monkeypatch.setattr(connection, "connect", object)
    monkeypatch.setattr(build, "build", fake)
    return made


def test_one_line_an_image_goes_to_stdout(
    run_cli: RunCli, write: Callable[..., str], calls: Calls
) -> None:
    write("profile: 1", "profiles/a.yaml")
    ended = run_cli("build", "a", "debian12-desktop", "--pull", "--no-cache")
    assert ended.code == 0
    assert ended.out == ("sha256:1 imagekit/a:latest\nsha256:1 imagekit/debian12-desktop:latest\n")
    assert ended.err.splitlines() == [
        "a: building",
        "a: 250 MB, 3.2 s, 4 of 9 steps cached",
        "debian12-desktop: building",
        "debian12-desktop: 250 MB, 3.2 s, 4 of 9 steps cached",
    ]
    assert calls[0] == ("a", Site(), Options((), no_cache=True, pull=True))


def test_tags_overrides_and_site_arrive(
    run_cli: RunCli, write: Callable[..., str], calls: Calls
) -> None:
    write("site: 1\nrun: {ports: 7000}", "lab.yaml")
    write("profile: 1", "a.yaml")
    ended = run_cli(
        "build",
        "a.yaml",
        "--tag",
        "x/y:1",
        "--tag",
        "z",
        "--site",
        "lab.yaml",
        "--progress",
        "json",
    )
    assert ended.code == 0
    assert ended.out == "sha256:1 imagekit/a:latest x/y:1 z\n"
    assert calls == [("a", Site(ports=7000), Options(("x/y:1", "z")))]
    assert ended.err.startswith('{"version": 1, "about": "a", "event": "Notice"')


def test_nothing_is_built_when_one_profile_of_several_is_wrong(
    run_cli: RunCli, write: Callable[..., str], calls: Calls
) -> None:
    write("profile: 1\nx: 1", "wrong.yaml")
    ended = run_cli("build", "debian12-desktop", "wrong.yaml", "nosuch")
    assert (ended.code, ended.out, calls) == (2, "", [])
    assert "wrong.yaml:2:1: x: unknown key" in ended.err
    assert 'no profile "nosuch"' in ended.err


def test_what_was_built_before_a_failure_is_printed(
    run_cli: RunCli, write: Callable[..., str], calls: Calls
) -> None:
    write("profile: 1", "bad.yaml")
    ended = run_cli("build", "debian12-desktop", "bad.yaml")
    assert (ended.code, ended.out) == (1, "sha256:1 imagekit/debian12-desktop:latest\n")
    assert ended.err.endswith("bad: failed\n")


def test_a_profiles_mirrors_are_built_with_where_the_site_names_none(
    run_cli: RunCli, write: Callable[..., str], calls: Calls
) -> None:
    write("site: 1\nmirrors: {apt: http://here.example}", "lab.yaml")
    write("profile: 1\nmirrors: {apt: http://a.example, pypi: http://p.example/simple}", "a.yaml")
    assert run_cli("build", "a.yaml", "--site", "lab.yaml").code == 0
    (_, site, _) = calls[-1]
    assert (site.apt, site.pypi) == ("http://here.example", "http://p.example/simple")
