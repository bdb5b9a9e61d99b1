from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import docker.errors
import pytest

from imagekit.checks import candidate
from imagekit.checks.candidate import Candidate, entered, find
from imagekit.checks.selection import Wish, choose, promise
from imagekit.checks.subject import Gpus
from imagekit.checks.told import Told
from imagekit.container import ContainerSpec, Secrets
from imagekit.engine.connection import Engine
from imagekit.errors import InputError, WorkFailedError
from imagekit.names import RESOLVED_LABEL


def engine(label: str | None = None, user: str = "") -> Engine:
    labels = {} if label is None else {RESOLVED_LABEL: label}
    found = SimpleNamespace(id="sha256:aa", labels=labels, attrs={"Config": {"User": user}})
    client = SimpleNamespace(images=SimpleNamespace(get=lambda _image: found))
    return Engine(client, "unix:///x", "a test", "27.0", "1.41", True, "overlay2")  # type: ignore[arg-type]


class FakeStage:
    """A container whose root and jovyan have accounts, and root a key."""

    gpus = Gpus()
    passwd = "root:x:0:0:root:/root:/bin/bash\njovyan:x:1000:100::/home/jovyan:/bin/sh\n"

    def __init__(self) -> None:
        self.put_in: list[bytes] = []

    def addresses(self) -> dict[int, tuple[str, int]]:
        return {2222: ("127.0.0.1", 40022)}

    def fetch(self, path: str) -> bytes:
        return {"/etc/passwd": self.passwd.encode()}.get(path, b"")

    def put(self, archive: bytes) -> None:
        self.put_in.append(archive)


@pytest.fixture
def staged(monkeypatch: pytest.MonkeyPatch) -> Any:
    seen = SimpleNamespace(stage=FakeStage(), spec=None, secrets=None)

    @contextmanager
    def fake(_engine: Any, spec: ContainerSpec, secrets: Secrets) -> Iterator[FakeStage]:
        seen.spec, seen.secrets = spec, secrets
        yield seen.stage

    monkeypatch.setattr(candidate, "staged", fake)
    return seen


def test_the_image_says_itself_what_it_is(plan: Any) -> None:
    assert find(engine(plan.to_json()), "x") == Candidate("x", "sha256:aa", plan)


def test_a_profile_wins_over_the_label(plan: Any) -> None:
    other = replace(plan, profile="other")
    assert find(engine(plan.to_json()), "x", Wish(expected=other)).plan == other
    assert find(engine("of another format"), "x", Wish(expected=other)).ours


def test_what_is_told_is_not_for_images_of_ours(plan: Any) -> None:
    for told in (Told(user="root"), Told(settings=("jupyter=true",))):
        with pytest.raises(InputError) as caught:
            find(engine(plan.to_json()), "x", Wish(told=told))
        assert str(caught.value) == (
            "x: imagekit built this image, which says itself what to expect of it\n"
            "  hint: leave --with and --set out (in pytest --imagekit-with); "
            "a profile beside the image can expect something else"
        )


@pytest.mark.parametrize("label", ["{}", "nonsense", '{"format": 99}'])
def test_a_label_that_cannot_be_read(label: str) -> None:
    with pytest.raises(WorkFailedError, match=f"x: the label {RESOLVED_LABEL} cannot be read"):
        find(engine(label), "x")


@pytest.mark.parametrize("label", [None, ""])
def test_nobody_says_what_to_expect(label: str | None) -> None:
    with pytest.raises(InputError) as caught:
        find(engine(label), "debian:12", Wish(told=Told(user="root")))
    assert str(caught.value) == (
        "debian:12: imagekit did not build this image, and nothing says what to expect of it\n"
        "  hint: name a PROFILE that says it, or checks: --only sshd --only jupyter; "
        "in pytest, --imagekit-profile NAME"
    )
    assert caught.value.exit_code == 2


def test_what_checks_need_to_know_counts_for_images_of_others_alone(plan: Any) -> None:
    _, wish = choose("", "x", ("framework",), (), ())
    assert find(engine(plan.to_json()), "x", wish).ours
    with pytest.raises(InputError, match="the check 'framework' needs to know what to expect"):
        find(engine(), "x", wish)


def test_an_image_of_somebody_else(plan: Any) -> None:
    told = Told(user="root")
    by_checks = find(engine(user="1000"), "x", Wish(promised=plan, told=told))
    assert by_checks == Candidate("x", "sha256:aa", plan, ours=False, user="1000", told=told)
    by_profile = find(engine(), "x", Wish(expected=plan))
    assert (by_profile.ours, by_profile.by_profile) == (False, True)


def test_no_such_image() -> None:
    def get(_image: str) -> Any:
        raise docker.errors.ImageNotFound("no such image")

    missing = engine()
    missing.client.images.get = get  # type: ignore[method-assign]
    with pytest.raises(WorkFailedError, match="x: there is no such image"):
        find(missing, "x")


def test_a_container_of_somebody_elses_image(staged: Any) -> None:
    plan = promise(("sshd", "jupyter"), ())
    told = Told(
        password="root",
        ports=((22, 2222),),
        environment=(("PASS", "@password"), ("VNC_PASSWORD", "mine")),
        command=("sshd", "-D"),
    )
    foreign = Candidate("x", "sha256:aa", plan, ours=False, user="", told=told)
    with entered(engine(), foreign) as (stage, subject):
        assert stage is staged.stage
        assert subject.plan.user.name == "root"
        assert subject.plan.python is None
        assert subject.home == "/root"
        assert subject.address(22) == ("127.0.0.1", 40022)
        assert subject.secrets.password == subject.secrets.root_password == "root"
    spec = staged.spec
    assert [port.container_port for port in spec.ports] == [2222, 8888]
    assert (spec.mounts, spec.fresh_run, spec.command) == ((), False, ("sshd", "-D"))
    assert dict(spec.environment) == {
        "PASS": "root",
        "VNC_PASSWORD": "mine",
        "JUPYTER_TOKEN": staged.secrets.jupyter_token,
    }
    (archive,) = staged.stage.put_in  # root's alone, who is the account, too
    assert subject.secrets.authorized_keys.encode() in archive


def test_the_account_is_the_images_own_or_the_one_told(staged: Any) -> None:
    plan = promise(("jupyter",), ())
    for user, told, expected in (
        ("1000:100", Told(), ("jovyan", 1000, 100)),
        ("jovyan", Told(user="root"), ("root", 0, 0)),
    ):
        foreign = Candidate("x", "sha256:aa", plan, ours=False, user=user, told=told)
        with entered(engine(), foreign) as (_, subject):
            who = subject.plan.user
            assert (who.name, who.uid, who.gid) == expected
            # Nobody told the password, and yet it lies in the container.
            assert subject.secrets.password == ""
            assert subject.given == staged.secrets
    assert len(staged.stage.put_in) == 3


def test_a_container_of_ours(staged: Any, plan: Any) -> None:
    with entered(engine(), Candidate("x", "sha256:aa", plan), "all") as (_, subject):
        assert subject.foreign is None
        assert subject.home == "/home/lab"
    assert (staged.spec.fresh_run, staged.spec.gpus) == (True, "all")
    assert staged.stage.put_in == []
