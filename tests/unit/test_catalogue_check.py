"""Asking whether rows hold: whom, how often, and what their answers mean."""

from __future__ import annotations

import http.server
import subprocess
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from imagekit import catalogue_check
from imagekit.catalogue.rows import (
    BaseImage,
    CudaRecipe,
    CudaWheels,
    FrameworkBuild,
    Gpu,
    Mirror,
    Row,
)
from imagekit.catalogue_check import Answer, World, check
from imagekit.engine import connection
from imagekit.errors import EngineError, Message, NetworkError

SAID = {"source": "https://example.com/facts", "date": "2026-11-23"}
TODAY = "2026-12-24"


def build(version: str, pythons: tuple[str, ...] = ("3.10", "3.11")) -> FrameworkBuild:
    return FrameworkBuild(
        name="jax",
        version=version,
        release=f"{version}.0",
        cuda="12.2",
        cudnn="",
        pythons=pythons,
        releases=(),
        requirements=("jax[cuda12]=={release}",),
        index="",
        sources=("wheels",),
        glibc="",
        cc_min="",
        cc_max="",
        preferred=True,
        experimental=False,
        **SAID,
    )


def image(status: str = "present", tag: str = "1") -> BaseImage:
    empty: dict[str, Any] = dict.fromkeys(
        ("os", "cuda", "cudnn", "python", "flavour", "framework", "instead"), ""
    )
    return BaseImage(image="lab/x", tag=tag, status=status, **empty, **SAID)


def world(
    versions: Callable[[str, str, str], frozenset[str]] = lambda *_: frozenset(),
    has_image: Callable[[str], bool] = lambda _: True,
    answers: Callable[[str], bool] = lambda _: True,
) -> World:
    return World(versions, has_image, answers, TODAY)


def one(row: Row, there: World) -> Answer:
    (answer,) = check([("t", row)], lambda _: None, there)
    return answer


# ---- rows


def test_a_framework_is_asked_for_its_pythons_and_their_neighbours_once() -> None:
    asked: list[tuple[str, str, str]] = []

    def versions(*question: str) -> frozenset[str]:
        asked.append((question[0], question[1], question[2]))
        return frozenset({"0.4.0", "0.5.0"} if question[1] in {"3.10", "3.11"} else ())

    done: list[int] = []
    rows = [("frameworks", build("0.4")), ("frameworks", build("0.5"))]
    answers = check(rows, done.append, world(versions))
    assert [answer.answer for answer in answers] == ["holds", "holds"]
    pythons = ("3.9", "3.10", "3.11", "3.12")
    assert sorted(asked) == sorted(
        (name, python, "") for name in ("jax", "jaxlib") for python in pythons
    )
    assert done == [1, 2]


def test_a_changed_framework_says_what_and_proposes_the_row() -> None:
    answer = one(build("0.4"), world(lambda _name, _python, _index: frozenset({"0.4.1"})))
    assert (answer.table, answer.row, answer.answer) == ("t", "jax 0.4 CUDA 12.2", "changed")
    assert answer.why == (
        "release 0.4.0 is now 0.4.1; pythons 3.10 3.11 is now 3.9 3.10 3.11 3.12; "
        "releases none is now 0.4.0 3.10 3.11"
    )
    assert 'release: "0.4.1"' in answer.proposed
    assert f'date: "{TODAY}"' in answer.proposed


def test_what_is_the_same_for_every_python_is_asked_for_its_compiled_part() -> None:
    def versions(name: str, python: str, _index: str) -> frozenset[str]:
        return frozenset({"0.4.0"} if name == "jax" or python in {"3.10", "3.11"} else ())

    assert one(build("0.4"), world(versions)).answer == "holds"


def test_an_index_that_has_nothing_of_it_is_no_answer() -> None:
    answer = one(build("0.4"), world())
    assert (answer.answer, answer.why) == (
        "not asked",
        "the index that pip uses has no wheel of jax",
    )


def test_whoever_cannot_be_asked_is_no_failure_of_the_others() -> None:
    def refuse(_ref: str) -> bool:
        raise NetworkError(Message("lab/x:1", "toomanyrequests", "wait"))

    answers = check(
        [("images", image()), ("mirrors", mirror("live"))], lambda _: None, world(has_image=refuse)
    )
    assert [(answer.answer, answer.why) for answer in answers] == [
        ("not asked", "toomanyrequests"),
        ("holds", ""),
    ]


def test_cuda_wheels_that_are_gone_are_named() -> None:
    row = CudaWheels(
        version="12.2", runtime=("a==12.2.*", "b==1"), devel=(), cudnn=(), python_min="", **SAID
    )

    def versions(name: str, _python: str, _index: str) -> frozenset[str]:
        return frozenset({"12.2.140"} if name == "a" else {"2"})

    answer = one(row, world(versions))
    assert (answer.answer, answer.why, answer.proposed) == ("changed", "the index has no b==1", "")


def test_an_image_that_vanished_is_proposed_as_missing() -> None:
    answer = one(image(), world(has_image=lambda _: False))
    assert (answer.answer, answer.why) == ("changed", "status present is now missing")
    assert 'status: "missing"' in answer.proposed


def mirror(status: str, kind: str = "pypi", url: str = "https://m.example/simple") -> Mirror:
    return Mirror(site="m", kind=kind, url=url, status=status, **SAID)


def test_a_registrys_mirror_is_asked_as_a_registry() -> None:
    asked: list[str] = []

    def answers(url: str) -> bool:
        asked.append(url)
        return True

    assert (
        one(mirror("live", "registry", "hub.example/x"), world(answers=answers)).answer == "holds"
    )
    assert asked == ["https://hub.example/x/v2/"]


def test_a_recipes_files_are_asked_one_by_one() -> None:
    row = CudaRecipe(
        version="10.0",
        os="ubuntu18.04",
        cudnn="",
        files=(("https://a.example/1.deb", "0"), ("https://a.example/2.deb", "0")),
        repository="",
        key="",
        packages=(),
        **SAID,
    )
    answer = one(row, world(answers=lambda url: "1.deb" in url))
    assert (answer.answer, answer.why) == ("changed", "gone: https://a.example/2.deb")


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (image("broken"), "no registry can tell of a row that is broken"),
        (image("deleted", "11.*"), "no registry can tell of a row that is deleted"),
        (Gpu(name="x", cc="7.5", **SAID), "for people to read: https://example.com/facts"),
    ],
)
def test_what_no_machine_answers_is_left_to_people(row: Row, why: str) -> None:
    answer = one(row, world())
    assert (answer.answer, answer.why) == ("not asked", why)


def test_without_an_engine_images_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_url: str | None = None) -> Any:
        raise EngineError(Message("unix:///x", "nothing answers there"))

    monkeypatch.setattr(connection, "connect", fail)
    answers = check([("images", image()), ("images", image())], lambda _: None)
    assert {(answer.answer, answer.why) for answer in answers} == {
        ("not asked", "nothing answers there")
    }


# ---- pip


def pip_says(monkeypatch: pytest.MonkeyPatch, out: str, err: str, code: int) -> list[list[str]]:
    commands: list[list[str]] = []

    def run(command: list[str], **_options: Any) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        return subprocess.CompletedProcess(command, code, out, err)

    monkeypatch.setattr(subprocess, "run", run)
    return commands


def test_pip_is_asked_for_one_python_and_wheels_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    commands = pip_says(monkeypatch, "jax (0.5)\nAvailable versions: 0.5.0, 0.4.1\n", "", 0)
    assert catalogue_check.pip_versions("jax", "3.11") == {"0.5.0", "0.4.1"}
    command = " ".join(commands[0])
    assert " -m pip " in command
    assert "index versions jax --python-version 3.11 --only-binary :all:" in command
    assert "--platform manylinux_2_28_x86_64" in command
    assert "--index-url" not in command


def test_of_pytorchs_index_its_own_builds_count(monkeypatch: pytest.MonkeyPatch) -> None:
    commands = pip_says(monkeypatch, "Available versions: 2.7.0, 2.6.0+cu126\n", "", 0)
    assert catalogue_check.pip_versions("torch", "3.11", "cu126") == {"2.6.0+cu126"}
    assert commands[0][-1].endswith("/whl/cu126")


def test_no_wheel_for_a_python_is_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    pip_says(monkeypatch, "", "ERROR: No matching distribution found for jax\n", 1)
    assert catalogue_check.pip_versions("jax", "3.6") == frozenset()


@pytest.mark.parametrize(
    "said",
    [
        "WARNING: Retrying (Retry(total=0…\nERROR: No matching distribution found for jax",
        "/usr/bin/python: No module named pip",
        "",
    ],
)
def test_an_index_that_was_not_reached_is_none(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    pip_says(monkeypatch, "", said, 1)
    with pytest.raises(NetworkError, match="pip could not ask the index: ") as error:
        catalogue_check.pip_versions("jax", "3.11")
    assert ("Retrying" in said) == ("Retrying" in str(error.value))


def test_a_pip_that_hangs_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], **_options: Any) -> None:
        raise subprocess.TimeoutExpired(command, 1)

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(NetworkError, match="pip did not answer"):
        catalogue_check.pip_versions("jax", "3.11")


# ---- addresses


class Answering(http.server.BaseHTTPRequestHandler):
    """Answers with the number in the path; HEAD with 405 below /get/."""

    def do_GET(self) -> None:
        self.answer(int(self.path.rpartition("/")[2]))

    def do_HEAD(self) -> None:
        self.answer(405 if "/get/" in self.path else int(self.path.rpartition("/")[2]))

    def answer(self, code: int) -> None:
        self.send_response(code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Where numbers answer with themselves."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = http.server.HTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("path", "there"), [("200", True), ("401", True), ("404", False), ("410", False)]
)
def test_an_address_has_something_or_not(address: str, path: str, there: bool) -> None:
    assert catalogue_check.has_address(f"{address}/{path}") is there
    assert catalogue_check.has_address(f"{address}/get/{path}") is there


@pytest.mark.parametrize("path", ["403", "500", "503"])
def test_an_answer_that_does_not_tell_is_none(address: str, path: str) -> None:
    with pytest.raises(NetworkError, match=f"answered HTTP {path}"):
        catalogue_check.has_address(f"{address}/{path}")


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "not an address"])
def test_nobody_there_is_no_answer(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with pytest.raises(NetworkError, match="did not answer"):
        catalogue_check.has_address(url)
