"""A folder to work in that sees neither the user's nor the host's configuration."""

from __future__ import annotations

import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from imagekit import cli, pem, profile
from imagekit.plan.model import Plan
from imagekit.plan.resolve import resolve

Write = Callable[..., str]
Planned = Callable[[str], Plan]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder without a site file, user configuration or host certificates."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr(pem, "_HOST_FOLDERS", ())
    return folder


@pytest.fixture
def write(place: Path) -> Write:
    """Write a file below the working folder; its path."""

    def write_file(text: str, name: str = "x.yaml") -> str:
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
        return name

    return write_file


@pytest.fixture
def planned(write: Write) -> Planned:
    """The plan of a profile's text, called ``x``; ``profile: 1`` is put before it."""

    def plan_of(text: str = "") -> Plan:
        return resolve(profile.load(write(f"profile: 1\n{text}\n")))

    return plan_of


@dataclass
class Ended:
    """What a command line printed and returned."""

    code: int | str | None
    out: str
    err: str


RunCli = Callable[..., Ended]


@pytest.fixture
def run_cli(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> RunCli:
    """Run ``imagekit`` in this process, through the one error boundary."""
    monkeypatch.setattr(signal, "signal", lambda *_: None)

    def run(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["imagekit", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        return Ended(ended.value.code, out, err)

    return run


class Recorder:
    """A socket where an engine would listen; it hangs up at once and counts the callers."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._callers = 0
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen()
        self._thread = threading.Thread(target=self._answer)
        self._thread.start()

    @property
    def callers(self) -> int:
        """How many have called before now: calls are answered in their order."""
        self._say(b"?")
        return self._callers

    def close(self) -> None:
        self._say(b".")
        self._thread.join()
        self._server.close()

    def _say(self, word: bytes) -> None:
        with socket.socket(socket.AF_UNIX) as own:
            own.connect(str(self.path))
            own.send(word)
            own.recv(1)

    def _answer(self) -> None:
        while True:
            caller, _ = self._server.accept()
            with caller:
                word = caller.recv(1)
            if word == b".":
                return
            self._callers += word != b"?"


@pytest.fixture
def recorder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    """``DOCKER_HOST`` is a socket that remembers who called."""
    recorder = Recorder(tmp_path / "engine.sock")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{recorder.path}")
    yield recorder
    recorder.close()
