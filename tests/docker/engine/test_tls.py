"""An engine behind TCP with TLS, found as the docker command line finds it."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from imagekit.checks.leftovers import sweep
from imagekit.checks.watch import endpoint_of, introduction
from imagekit.context import Context, ContextFile
from imagekit.engine.buildkit import build
from imagekit.engine.connection import connect
from imagekit.errors import EngineError
from imagekit.events import Event, StepLog
from tests.docker.engine.daemon import TlsEngine, tls_engine


@pytest.fixture(scope="module")
def far() -> Iterator[TlsEngine]:
    with tls_engine() as engine:
        yield engine


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS", "DOCKER_TLS_VERIFY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))


def test_by_the_environment(far: TlsEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", far.url)
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(far.client))
    assert said_with_a_secret("") == ["open sesame"]
    with closing(connect()) as engine:
        known = json.loads(introduction(engine, "nobody's"))["engine"]
    monkeypatch.delenv("DOCKER_HOST")
    sweep(endpoint_of(known), "nobody's", quiet=0.0, limit=0.0)  # a watcher's way there


def test_by_a_context(far: TlsEngine, tmp_path: Path) -> None:
    identity = hashlib.sha256(b"far").hexdigest()
    meta = tmp_path / "contexts/meta" / identity / "meta.json"
    meta.parent.mkdir(parents=True)
    meta.write_text(json.dumps({"Name": "far", "Endpoints": {"docker": {"Host": far.url}}}))
    shutil.copytree(far.client, tmp_path / "contexts/tls" / identity / "docker")
    assert said_with_a_secret("far") == ["open sesame"]


def test_another_authority_is_not_trusted(
    far: TlsEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path))
    with pytest.raises(EngineError, match=r"(?s)TLS failed: .*hint: .*DOCKER_CERT_PATH"):
        connect(far.url)


def test_without_a_certificate_one_is_not_let_in(
    far: TlsEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(far.client / "ca.pem", tmp_path)
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path))
    with pytest.raises(
        EngineError, match=r"(?s)(certificate required|bad certificate).*hint: .*DOCKER_CERT_PATH"
    ):
        connect(far.url)


def test_without_tls_the_answer_says_so(far: TlsEngine) -> None:
    with pytest.raises(EngineError, match=r"(?s)HTTPS.*hint: .*DOCKER_TLS_VERIFY"):
        connect(far.url)


def said_with_a_secret(asked: str) -> list[str]:
    """What a step prints that reads a secret; this engine has no base image but our shell."""
    shell = shell_of_this_machine()
    lines = [
        "FROM scratch",
        *(f"COPY {file.path} /{file.path}" for file in shell),
        f'RUN --mount=type=secret,id=s read word < /run/secrets/s; echo "open $word" {comment()}',
    ]
    dockerfile = ContextFile("Dockerfile", "\n".join((*lines, "")).encode())
    events: list[Event] = []
    with closing(connect(asked)) as engine:
        context = Context((dockerfile, *shell))
        build(engine, context, secrets={"s": b"sesame\n"}, on_event=events.append)
    return [line for event in events if isinstance(event, StepLog) for line in event.lines]


def shell_of_this_machine() -> list[ContextFile]:
    linked = subprocess.run(["ldd", "/bin/sh"], check=True, capture_output=True, text=True)
    paths = ["/bin/sh", *re.findall(r"/\S+", linked.stdout)]
    return [ContextFile(path[1:], Path(path).read_bytes(), executable=True) for path in paths]


def comment() -> str:
    return f"# {uuid.uuid4().hex}"
