"""A run that is killed, its real watcher, and an engine that is asked to remove what is left."""

from __future__ import annotations

import json
import os
import signal
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import docker.errors
import pytest

from imagekit.checks import watch
from imagekit.checks.watch import Watch, endpoint_of, introduction, watched
from imagekit.checks.watcher import watch as read_lines
from imagekit.engine.connection import Engine, connect_to
from imagekit.engine.endpoint import Endpoint, Tls
from imagekit.errors import WorkFailedError
from imagekit.wait import Deadline, NotYetError, until


@dataclass
class FakeEngine:
    """Containers by name, with their run's label; one can come late."""

    path: Path
    containers: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    away: int = 0  # requests that are answered with an error
    late: str = ""  # a container that appears after the first look

    def answer(self, method: str, target: str) -> tuple[int, Any]:
        parts = urlsplit(target)
        self.asked.append(f"{method} {parts.path}")
        if self.away > 0:
            self.away -= 1
            return 500, {"message": "not now"}
        if parts.path.endswith("/version"):
            return 200, {"Version": "20.10", "ApiVersion": "1.41", "Os": "linux"}
        if parts.path.endswith("/json") and "/containers/" in parts.path:
            (filters,) = parse_qs(parts.query)["filters"]
            (label,) = json.loads(filters)["label"]
            found = [{"Id": name} for name, run in self.containers.items() if run == label]
            if self.late:
                self.containers[self.late], self.late = label, ""
            return 200, found
        if method == "DELETE":
            assert parse_qs(parts.query) == {"v": ["True"], "link": ["False"], "force": ["True"]}
            del self.containers[parts.path.rpartition("/")[2]]
            return 204, None
        return 200, {}


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    block_on_close = False


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeEngine]:
    engine = FakeEngine(tmp_path / "s")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            status, body = engine.answer(self.command, self.path)
            data = b"" if body is None else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_DELETE = do_GET  # noqa: N815 - the library's name

        def address_string(self) -> str:
            return "unix"

    with _Server(str(engine.path), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield engine
        server.shutdown()
        thread.join()


# A run that never ends by itself. It has a child that would keep the pipe open if it had it.
_RUN = """
import subprocess, sys, time
from imagekit.checks import watch
from imagekit.engine.connection import connect_to
from imagekit.engine.endpoint import Endpoint
watch.QUIET_SECONDS, watch.UNDER_WAY_SECONDS = 0.3, 0.6
engine = connect_to(Endpoint("unix://" + sys.argv[1], "a test"))
with watch.watched(engine, "mine") as watching:
    child = subprocess.Popen(["sleep", "60"], close_fds=False)
    print(child.pid, flush=True)
    time.sleep(60)
"""


@dataclass
class Run:
    process: subprocess.Popen[str]
    child: int

    @property
    def watcher(self) -> int:
        """The process id of the run's watcher."""
        (found,) = (pid for pid in children(self.process.pid) if pid != self.child)
        return found


def children(pid: int) -> list[int]:
    return [
        int(file.parent.name)
        for file in Path("/proc").glob("[0-9]*/stat")
        if parent(file) == str(pid)
    ]


def parent(stat: Path) -> str:
    try:
        return stat.read_text().rpartition(")")[2].split()[1]
    except OSError:
        return ""


def ended(pid: int) -> None:
    """Wait for the end of a process that is not ours to wait for."""

    def gone() -> None:
        with suppress(OSError):
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            if state != "Z":
                raise NotYetError(str(pid))

    until(gone, Deadline.after(30), pause=0.02)


@pytest.fixture
def run(fake: FakeEngine) -> Iterator[Run]:
    root = str(Path(watch.__file__).parents[2])
    process = subprocess.Popen(
        [sys.executable, "-c", _RUN, str(fake.path)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": root},
    )
    assert process.stdout
    child = int(process.stdout.readline())
    yield Run(process, child)
    process.kill()
    with process, suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)


@pytest.mark.parametrize("whole_group", [False, True])
def test_a_killed_run_leaves_nothing(fake: FakeEngine, run: Run, whole_group: bool) -> None:
    fake.containers = {
        "a": "dev.imagekit.run=mine",
        "b": "dev.imagekit.run=mine",
        "other": "dev.imagekit.run=yours",
    }
    fake.late, fake.away = "late", 2
    watcher = run.watcher
    if whole_group:
        os.killpg(run.process.pid, signal.SIGKILL)
    else:
        run.process.kill()
    ended(watcher)
    assert fake.containers == {"other": "dev.imagekit.run=yours"}


def test_the_watcher_waits_for_its_run_whatever_it_is_sent(fake: FakeEngine, run: Run) -> None:
    asked = len(fake.asked)
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        os.kill(run.watcher, number)
    loaded = Path(f"/proc/{run.watcher}/maps").read_text()
    assert "_ssl" not in loaded  # docker-py's, only when it acts
    assert len(fake.asked) == asked
    assert os.getsid(run.watcher) == run.watcher


def test_a_run_that_ends_well_ends_its_watcher_at_once(fake: FakeEngine) -> None:
    with connect_closing(fake) as engine:
        asked = len(fake.asked)
        begun = time.monotonic()
        before = children(os.getpid())
        with watched(engine, "mine") as watching:
            (watcher,) = set(children(os.getpid())) - set(before)
            with watching.removing():
                pass
        assert time.monotonic() - begun < watch.QUIET_SECONDS
        ended(watcher)
        assert len(fake.asked) == asked
        assert watcher not in {process.pid for process in watch._acting}


def test_a_watcher_that_somebody_ended_is_no_fault(fake: FakeEngine) -> None:
    before = children(os.getpid())
    with connect_closing(fake) as engine, watched(engine, "mine") as watching:
        (watcher,) = set(children(os.getpid())) - set(before)
        os.kill(watcher, signal.SIGKILL)
        ended(watcher)
        with watching.creating(), watching.removing():
            pass


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What watchers are told after their introduction."""
    monkeypatch.setattr(watch, "introduction", lambda *_: "{}")
    lines: list[str] = []
    tell = Watch.tell

    def noted(self: Watch, line: str) -> None:
        lines.append(line)
        tell(self, line)

    monkeypatch.setattr(Watch, "tell", noted)
    return lines


@pytest.mark.parametrize("answer", [None, docker.errors.APIError("no"), WorkFailedError([])])
def test_requests_side_by_side_are_under_way_until_the_last_is_answered(
    told: list[str], answer: Exception | None
) -> None:
    engine: Any = None
    with watched(engine, "mine") as watching:
        with watching.creating():
            with suppress(type(answer or EOFError())), watching.creating():
                if answer:
                    raise answer
            assert told == ["{}", "creating"]
        assert told == ["{}", "creating", "created"]
        with watching.removing():
            pass
    assert told[3:] == ["done"]


def test_what_is_still_asked_for_at_the_end_is_left_to_the_watcher(told: list[str]) -> None:
    engine: Any = None
    with watched(engine, "mine") as watching:
        request = watching.creating()
        request.__enter__()
        with watching.removing():
            pass
        with pytest.raises(InterruptedError, match="the run is over"), watching.creating():
            pass
    assert told == ["{}", "creating"]
    request.__exit__(None, None, None)  # the pipe is closed
    assert told == ["{}", "creating", "created"]


def connect_closing(fake: FakeEngine) -> Any:
    return closing(connect_to(Endpoint(f"unix://{fake.path}", "a test")))


def test_no_process_to_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    engine = SimpleNamespace(endpoint=Endpoint("unix:///x", "a test"))
    with pytest.raises(WorkFailedError, match="watcher: cannot be started"), watched(engine, "r"):  # type: ignore[arg-type]
        pass


@pytest.mark.parametrize(
    "tls",
    [
        None,
        Tls(verify=True),
        Tls(verify=False, ca=Path("/c/ca.pem")),
        Tls(True, Path("/c/ca.pem"), Path("/c/cert.pem"), Path("/c/key.pem")),
    ],
)
def test_the_watcher_knows_the_same_engine(tls: Tls | None) -> None:
    endpoint = Endpoint("tcp://server:2376", "docker context 'lab'", tls)
    client: Any = None
    engine = Engine(client, endpoint.url, endpoint.found, "27", "1.41", True, "overlay2", tls)
    known = json.loads(introduction(engine, "mine"))
    assert endpoint_of(known["engine"]) == endpoint
    assert known["run"] == "mine"
    assert all(Path(folder).is_absolute() for folder in known["path"])


def test_files_are_named_from_wherever_the_run_began(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    client: Any = None
    tls = Tls(verify=True, ca=Path("ca.pem"))
    engine = Engine(client, "tcp://x:1", "a test", "27", "1.41", True, "overlay2", tls)
    known = json.loads(introduction(engine, "mine"))
    assert known["engine"]["tls"] == {"verify": True, "ca": str(tmp_path / "ca.pem")}


@pytest.mark.parametrize(
    "lines", [[], ['{"run": "mine", "pa'], ["{}", "creating", "created", "done"]]
)
def test_nothing_to_do(lines: list[str]) -> None:
    read_lines(lines)  # would raise for want of an engine


@pytest.mark.parametrize(
    ("words", "seconds"),
    [([], 1.0), (["creating", "created"], 1.0), (["creating"], 9.0), (["creating", "cre"], 1.0)],
)
def test_a_request_under_way_is_waited_for(
    words: list[str], seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    swept: list[tuple[str, str, float]] = []
    monkeypatch.setattr(
        "imagekit.checks.leftovers.sweep",
        lambda endpoint, run, quiet: swept.append((endpoint.url, run, quiet)),
    )
    path = list(sys.path)
    known = {
        "run": "mine",
        "path": path,
        "engine": {"url": "unix:///x", "found": "y", "tls": None},
        "quiet": {"creating": 9.0, "otherwise": 1.0},
    }
    read_lines([json.dumps(known), *words])
    assert swept == [("unix:///x", "mine", seconds)]
    assert sys.path == path
