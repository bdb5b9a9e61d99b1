from types import SimpleNamespace
from typing import Any

import docker.errors
import pytest
import urllib3.exceptions

from imagekit.checks import image
from imagekit.checks.check import CheckSkippedError
from imagekit.checks.stage import Stage
from imagekit.checks.subject import Gpus, ImageConfig, Step
from imagekit.engine.disk import Disk
from imagekit.names import RUN_LABEL

CONFIG = {
    "Env": ["PATH=/usr/bin", "A=b=c"],
    "Labels": {"z": "1", "a": "2"},
    "User": "lab",
    "Entrypoint": ["/init"],
    "Cmd": None,
    "Healthcheck": {"Test": ["CMD", "/health"]},
}
HISTORY = [{"CreatedBy": "LABEL", "Size": 0}, {"CreatedBy": "FROM", "Size": 7}]


class FakeContainer:
    def __init__(self, arguments: dict[str, Any], wait: Any) -> None:
        self.arguments, self.did = arguments, ["create"]
        self._wait = wait

    def start(self) -> None:
        self.did.append("start")

    def wait(self, timeout: float) -> dict[str, int]:
        if isinstance(self._wait, Exception):
            raise self._wait
        assert timeout == 5.0
        return {"StatusCode": self._wait}

    def logs(self) -> bytes:
        return b"said \xff"

    def remove(self, v: bool, force: bool) -> None:
        assert v
        assert force
        self.did.append("remove")


class FakeAnswer:
    def __init__(self, *pieces: Any, status: int = 200) -> None:
        self.pieces, self.status = pieces, status
        self.raw = self

    def __enter__(self) -> "FakeAnswer":
        return self

    def __exit__(self, *_: Any) -> None:
        pass

    def raise_for_status(self) -> None:
        if self.status != 200:
            raise docker.errors.APIError("no such image")

    def stream(self, size: int) -> Any:
        assert size > 1000
        for piece in self.pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Any:
    """An engine with one image; ``wait`` is its container's end, ``answer`` its archive."""
    made: list[FakeContainer] = []
    fake = SimpleNamespace(wait=3, answer=FakeAnswer(b"one", b"two"), made=made, asked=[])

    def create(name: str, **arguments: Any) -> FakeContainer:
        if isinstance(fake.wait, docker.errors.APIError):
            raise fake.wait
        made.append(FakeContainer({"image": name, **arguments}, fake.wait))
        return made[-1]

    def get(url: str, stream: bool, timeout: float) -> FakeAnswer:
        assert stream
        fake.asked.append((url, timeout))
        return fake.answer

    found = SimpleNamespace(id="sha256:aa", attrs={"Config": CONFIG}, history=lambda: HISTORY)
    fake.api_version, fake.store = "1.41", "overlay2"
    fake.client = SimpleNamespace(
        images=SimpleNamespace(get=lambda _: found),
        containers=SimpleNamespace(create=create),
        api=SimpleNamespace(base_url="http+docker://localhost", get=get),
    )
    monkeypatch.setattr(image, "disk", lambda _: None)
    return fake


def test_the_stage_asks_for_its_containers_image(engine: Any) -> None:
    attributes = {"Image": "sha256:aa"}
    container = SimpleNamespace(attrs=attributes, labels={RUN_LABEL: "r"}, id="cafe")
    stage = Stage(engine, container, (), Gpus())  # type: ignore[arg-type]
    assert stage.image().id == "sha256:aa"
    assert stage.execute_afresh(("sh",), timeout=5.0) == (3, "said \ufffd")
    assert engine.made[0].arguments["labels"] == {RUN_LABEL: "r"}
    assert engine.made[0].arguments["image"] == "sha256:aa"
    assert b"".join(stage.saved(9.0)) == b"onetwo"


def test_what_an_image_says(engine: Any) -> None:
    assert image.config(engine, "demo") == ImageConfig(
        id="sha256:aa",
        environment=(("PATH", "/usr/bin"), ("A", "b=c")),
        labels=(("a", "2"), ("z", "1")),
        user="lab",
        entrypoint=("/init",),
        command=(),
        healthcheck=("CMD", "/health"),
        history=(Step("FROM", 7), Step("LABEL", 0)),
    )


def test_a_command_runs_in_a_container_of_its_own(engine: Any) -> None:
    assert image.execute(engine, "demo", {"run": "1"}, ("sh", "-c", "x"), 5.0) == (3, "said \ufffd")
    (container,) = engine.made
    assert container.did == ["create", "start", "remove"]
    assert container.arguments["image"] == "demo"
    assert container.arguments["entrypoint"] == ["sh"]
    assert container.arguments["command"] == ["-c", "x"]
    assert container.arguments["labels"] == {"run": "1"}
    assert container.arguments["network_mode"] == "none"


def test_a_command_that_hangs_is_removed(engine: Any) -> None:
    engine.wait = TimeoutError("read timed out")
    with pytest.raises(TimeoutError, match="sh did not end in 5 s"):
        image.execute(engine, "demo", {}, ("sh",), 5.0)
    assert engine.made[0].did[-1] == "remove"


def test_an_engine_that_refuses_is_an_error(engine: Any) -> None:
    engine.wait = docker.errors.APIError("500", explanation="disk on fire")
    with pytest.raises(OSError, match="the engine did not run sh: disk on fire"):
        image.execute(engine, "demo", {}, ("sh",), 5.0)


def test_the_archive_comes_in_pieces(engine: Any) -> None:
    assert list(image.saved(engine, "sha256:aa", 9.0)) == [b"one", b"two"]
    assert engine.asked == [("http+docker://localhost/v1.41/images/sha256:aa/get", 9.0)]


def test_an_archive_that_breaks_off_is_an_error(engine: Any) -> None:
    engine.answer = FakeAnswer(b"one", urllib3.exceptions.ProtocolError("broken"))
    with pytest.raises(OSError, match="the engine broke off: broken"):
        list(image.saved(engine, "demo", 9.0))
    engine.answer = FakeAnswer(status=404)
    with pytest.raises(OSError, match="no such image"):
        list(image.saved(engine, "demo", 9.0))


def test_nothing_is_asked_of_a_disk_without_room(
    engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image, "disk", lambda _: Disk("/var/lib/docker", 6))
    with pytest.raises(CheckSkippedError, match=r"0.0 GB are free in /var/lib/docker"):
        list(image.saved(engine, "demo", 9.0))
    monkeypatch.setattr(image, "disk", lambda _: Disk("/var/lib/docker", 7))
    assert list(image.saved(engine, "demo", 9.0)) == [b"one", b"two"]


def test_containerd_needs_no_room(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    engine.store = "containerd"
    monkeypatch.setattr(image, "disk", lambda _: Disk("/var/lib/docker", 6))
    assert list(image.saved(engine, "demo", 9.0)) == [b"one", b"two"]
