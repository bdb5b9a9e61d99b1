"""`run`: who has a container keeps it, whatever the profile says by now."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from imagekit.engine import connection, images
from imagekit.engine.images import ImageFacts
from imagekit.events import Emit
from imagekit.run import person as people
from imagekit.run import start
from tests.unit.conftest import RunCli, Write

PERSON = people.Person(
    "zhang", "id", "image", "exited", "x", "lab", "127.0.0.1", ((22, 6012),), 6010
)
KEY = "ssh-ed25519 AAAA zhang\n"


@pytest.fixture
def has(monkeypatch: pytest.MonkeyPatch, write: Write) -> Callable[[people.Person | None], None]:
    """Give zhang a container, or none, on an engine that has no image of the profile."""
    write("profile: 1\n", "profiles/x.yaml")
    write(KEY, "zhang.pub")

    def resumed(_: object, person: people.Person, image: ImageFacts | None, __: Emit) -> object:
        assert image is None
        return person

    def give(person: people.Person | None) -> None:
        monkeypatch.setattr(connection, "connect", lambda _address: None)
        monkeypatch.setattr(images, "find", lambda *_: None)
        monkeypatch.setattr(people, "find", lambda *_: person)
        monkeypatch.setattr(start, "resume", resumed)

    return give


Has = Callable[[people.Person | None], None]


def test_a_container_is_found_before_its_image_is_asked_for(has: Has, run_cli: RunCli) -> None:
    has(PERSON)
    ended = run_cli("run", "x", "--name", "zhang")
    assert ended.code == 0, ended.err
    assert "ssh -p 6012 lab@127.0.0.1" in ended.out
    assert "--key" not in ended.err


def test_what_counts_for_a_new_container_alone_is_said(has: Has, run_cli: RunCli) -> None:
    has(PERSON)
    ended = run_cli("run", "x", "--name", "zhang", "--key", "zhang.pub")
    assert ended.code == 0
    assert "zhang has a container; --key and --gpus count for a new one" in ended.err


def test_a_new_container_needs_the_image(has: Has, run_cli: RunCli) -> None:
    has(None)
    ended = run_cli("run", "x", "--name", "zhang", "--set", "user.name=li")
    assert (ended.code, ended.out) == (1, "")
    assert "x: not built yet\n  hint: imagekit build x --set user.name=li\n" in ended.err
