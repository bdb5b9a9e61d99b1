"""`imagekit push`: what is pushed, and what it prints."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from types import SimpleNamespace
from typing import Any, Protocol

import pytest

from imagekit import names, profile, push
from imagekit.engine import connection, images
from imagekit.engine.images import ImageFacts
from imagekit.errors import Message, NetworkError
from imagekit.events import Emit, Notice
from imagekit.plan.resolve import resolve
from imagekit.push import Pushed
from imagekit.site import Site
from imagekit.targets import Target


class Ended(Protocol):
    code: int | str | None
    out: str
    err: str


RunCli = Callable[..., Ended]
Write = Callable[..., str]
DIGEST = "sha256:" + "d" * 64
PUSHED = Pushed("reg.test/a:1", DIGEST, sent=True)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """An engine's images by name, what was pushed, and how that ends."""
    state = SimpleNamespace(images={}, calls=[], end=None, closed=[])
    connected = SimpleNamespace(close=lambda: state.closed.append(connected))

    def fake(
        engine: object, image: ImageFacts, wanted: Iterable[Target], site: Site, on_event: Emit
    ) -> Iterator[Pushed]:
        state.calls.append((image.id, tuple(wanted)))
        on_event(Notice("pushing"))
        yield PUSHED
        if state.end:
            raise state.end

    def find(engine: object, ref: str) -> Any:
        return state.images.get(ref)

    monkeypatch.setattr(connection, "connect", lambda _address: connected)
    monkeypatch.setattr(images, "find", find)
    monkeypatch.setattr(push, "push", fake)
    return state


def facts(**labels: str) -> ImageFacts:
    named = {f"{names.LABEL_PREFIX}{key}": value for key, value in labels.items()}
    return ImageFacts("sha256:1", named, 1, "", (), "linux", "amd64")


@pytest.fixture
def built(here: SimpleNamespace, write: Write) -> SimpleNamespace:
    """The same, with the image of profile ``a``."""
    write("profile: 1", "profiles/a.yaml")
    plan = resolve(profile.load("a"))
    here.images[names.tags(plan)[1]] = facts(profile="a", plan=plan.digest)
    return here


def test_one_line_a_name_goes_to_stdout(run_cli: RunCli, built: SimpleNamespace) -> None:
    ended = run_cli("push", "a", "reg.test/a:1", "other.test/a")
    assert (ended.code, ended.out) == (0, f"reg.test/a:1@{DIGEST}\n")
    assert ended.err == "a: pushing\n"
    assert len(built.closed) == 1
    assert built.calls == [("sha256:1", (Target("reg.test/a", "1"), Target("other.test/a", "")))]


def test_the_sites_registry(run_cli: RunCli, built: SimpleNamespace, write: Write) -> None:
    write("site: 1\nregistry: reg.test/lab", "lab.yaml")
    assert run_cli("push", "a", "--site", "lab.yaml").code == 0
    assert built.calls[0][1] == (Target("reg.test/lab/{profile}", ""),)


def test_json(run_cli: RunCli, built: SimpleNamespace) -> None:
    ended = run_cli("push", "a", "reg.test/a:1", "--json")
    assert json.loads(ended.out) == {
        "version": 1,
        "image": "sha256:1",
        "profile": "a",
        "ok": True,
        "pushed": [{"reference": "reg.test/a:1", "digest": DIGEST, "sent": True}],
        "failed": [],
    }


def test_what_was_proved_before_a_failure_is_printed(
    run_cli: RunCli, built: SimpleNamespace
) -> None:
    built.end = NetworkError(Message("reg.test/a:2", "gone", "wait"))
    ended = run_cli("push", "a", "reg.test/a:1")
    assert (ended.code, ended.out) == (4, f"reg.test/a:1@{DIGEST}\n")
    assert ended.err.endswith("reg.test/a:2: gone\n  hint: wait\n")
    shown = json.loads(run_cli("push", "a", "reg.test/a:1", "--json").out)
    assert (shown["ok"], len(shown["pushed"])) == (False, 1)
    assert shown["failed"] == [{"where": "reg.test/a:2", "what": "gone", "hint": "wait"}]


def test_an_interrupted_push_claims_what_was_proved(
    run_cli: RunCli, built: SimpleNamespace
) -> None:
    built.end = KeyboardInterrupt()
    ended = run_cli("push", "a", "reg.test/a:1", "--json")
    shown = json.loads(ended.out)
    assert (ended.code, shown["ok"], len(shown["pushed"])) == (130, False, 1)


def test_an_image_by_name(run_cli: RunCli, here: SimpleNamespace) -> None:
    here.images["busybox"] = facts()
    assert run_cli("push", "--image", "busybox", "reg.test/a").code == 0
    ended = run_cli("push", "--image", "nosuch", "reg.test/a")
    assert (ended.code, ended.err.splitlines()[0]) == (1, "nosuch: there is no such image")


def test_a_profile_that_was_not_built(run_cli: RunCli, here: SimpleNamespace, write: Write) -> None:
    write("profile: 1", "profiles/a.yaml")
    ended = run_cli("push", "a", "reg.test/a", "--set", "user.name=lee")
    assert (ended.code, ended.out, here.calls) == (1, "", [])
    assert ended.err == "a: not built yet\n  hint: imagekit build a --set user.name=lee\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "name a PROFILE"),
        (("a",), "there is no TARGET"),
        (("a", "Reg/X"), '"Reg/X" is no name for an image'),
        (("a", "reg.test/{plam}"), "{plam} is no word of a name"),
        (("nosuch", "reg.test/a"), 'no profile "nosuch"'),
    ],
)
def test_bad_input_contacts_nothing(
    run_cli: RunCli, write: Write, recorder: Any, arguments: tuple[str, ...], said: str
) -> None:
    write("profile: 1", "profiles/a.yaml")
    ended = run_cli("push", *arguments)
    assert (ended.code, recorder.callers) == (2, 0)
    assert said in ended.err
