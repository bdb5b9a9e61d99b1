"""Real Podmans: one that is too old is refused, a newer one builds, and nothing is lost."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import docker.errors
import pytest

from imagekit import bases, catalogue
from imagekit.context import Context, ContextFile
from imagekit.engine import buildkit, podman
from imagekit.engine.connection import Engine, connect
from imagekit.engine.failures import BuildFailedError
from imagekit.errors import EngineError
from imagekit.events import ignore
from imagekit.plan.model import Os
from imagekit.site import load as load_site
from imagekit.wait import Deadline, NotYetError, until
from tests.docker.support import Cli
from tests.required import missing

pytestmark = pytest.mark.engine

# The limits are those of the container that it runs in, which may not raise them.
PODMAN = """\
ARG BASE
FROM ${BASE}
RUN apt-get update && \\
    apt-get install --yes --no-install-recommends \\
        ca-certificates crun iptables netavark nftables podman
CMD mkdir -p /etc/containers && \\
    limits="['nofile=1024:$(ulimit -H -n)', 'nproc=1024:1024']" && \\
    printf '%s\\n' [containers] "default_ulimits = $limits" > /etc/containers/containers.conf && \\
    exec podman system service --time=0 unix:///shared/socket
"""
STEPS = """\
ARG BASE
FROM ${BASE} AS base
RUN --mount=type=bind,source=given,target=/given \\
    --mount=type=secret,id=token \\
    --mount=type=secret,id=none \\
    --mount=type=cache,id=imagekit-test,target=/var/cache/test,sharing=locked \\
    --mount=type=tmpfs,target=/tmp \\
    cat /given/file > /result && wc -c < /run/secrets/token >> /result && touch /tmp/left
FROM base AS image
COPY . /everything
RUN test ! -e /tmp/left
"""
SECRET = b"sesame-" + uuid.uuid4().hex.encode()


@pytest.fixture
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The Podman of this machine, with nothing in it."""
    program = shutil.which("podman")
    if program is None or os.geteuid() != 0:
        missing("podman", "podman is not installed, or this is not root")
    folder = tmp_path_factory.mktemp("podman")  # its paths must not be long
    path = folder / "socket"
    places = [f"--root={folder / 'root'}", f"--runroot={folder / 'run'}"]
    # The other storage driver leaves a mount behind.
    drivers = ["--storage-driver=vfs", "--cgroup-manager=cgroupfs"]
    command = [program, *places, *drivers, "system", "service", "--time=0"]
    process = subprocess.Popen([*command, f"unix://{path}"], stderr=subprocess.DEVNULL)

    def listens() -> None:
        assert process.poll() is None, "podman ended"
        if not path.exists():
            raise NotYetError(str(path))

    try:
        until(listens, Deadline.after(30))
        with closing(connect(f"unix://{path}", podman=True)) as there:
            pytest.skip(f"this machine's Podman is {there.version}, which builds")
    except EngineError:
        yield f"unix://{path}"
    finally:
        process.terminate()
        process.wait(30)


def test_an_old_one_is_refused_by_name(cli: Cli, old: str) -> None:
    done = cli("build", "debian12-desktop", "--engine", old, check=False)
    assert (done.returncode, done.stdout) == (3, "")
    assert "this is Podman " in done.stderr
    assert "which empties the image" in done.stderr


@pytest.fixture(scope="module")
def url(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The socket of Debian 13's Podman, in a container."""
    release = catalogue.os_releases()["debian13"]
    system = Os(release.id, release.image, release.suite)
    base = bases.obtain(engine, system, load_site(), fresh=False, on_event=ignore)
    folder = tmp_path_factory.mktemp("podman")
    context = Context((ContextFile("Dockerfile", PODMAN.encode()),))
    made = buildkit.build(engine, context, build_args={"BASE": base.reference})
    with _running(engine, made.image_id, folder):
        yield f"unix://{folder / 'socket'}"


@contextmanager
def _running(engine: Engine, image: str, folder: Path) -> Iterator[None]:
    container = engine.client.containers.create(
        image, privileged=True, volumes=[f"{folder}:/shared", "/var/lib/containers"]
    )

    def answers() -> None:
        try:
            connect(f"unix://{folder / 'socket'}", podman=True).close()
        except EngineError as error:
            raise NotYetError(f"{error}\n{container.logs().decode()}") from error

    try:
        try:
            container.start()
        except docker.errors.APIError as error:
            # runc before 1.2 asks for capabilities that this very process may lack.
            if "unable to apply caps" not in str(error):
                raise
            pytest.skip("this engine cannot give a container all privileges on this machine")
        until(answers, Deadline.after(60))
        yield
    finally:
        container.remove(force=True, v=True)


@pytest.fixture
def there(url: str) -> Iterator[Engine]:
    with closing(connect(url, podman=True)) as connected:
        yield connected


@pytest.fixture
def base(engine: Engine, there: Engine, tiny_base: str) -> str:
    """The base of the profiles, in Podman."""
    assert there.podman
    there.client.images.load(b"".join(engine.client.images.get(tiny_base).save(named=tiny_base)))
    return tiny_base


def files(image: Any) -> dict[str, bytes]:
    """All files of an image's layers by path, and the whole archive as ``""``."""
    archive = b"".join(image.save())
    found = {"": archive}
    with tarfile.open(fileobj=io.BytesIO(archive)) as outer:
        for member in outer:
            data = outer.extractfile(member)
            if data is None or not tarfile.is_tarfile(data):
                continue
            data.seek(0)
            with tarfile.open(fileobj=data) as layer:
                for file in layer:
                    content = layer.extractfile(file) if file.isfile() else None
                    found[file.name] = content.read() if content else b""
    return found


def test_it_builds_with_every_mount_and_keeps_no_secret(there: Engine, base: str) -> None:
    given = ContextFile("given/file", b"given\n")
    context = Context((ContextFile("Dockerfile", STEPS.encode()), given))
    done = podman.build(
        there,
        context,
        tags=["example.org/it:1"],
        secrets={"token": SECRET},
        build_args={"BASE": base},
        labels={"of": "tests"},
    )
    image = there.client.images.get("example.org/it:1")
    assert (image.id, image.labels["of"]) == (done.image_id, "tests")
    found = files(image)
    assert found["result"] == f"given\n{len(SECRET)}\n".encode()
    assert found["everything/given/file"] == b"given\n"
    assert not [path for path, data in found.items() if SECRET in data or "secret-" in path]
    again = podman.build(there, context, secrets={"token": SECRET}, build_args={"BASE": base})
    assert {step.name: step.cached for step in again.steps}["[base 2/2] " + _run(STEPS)]


def _run(text: str) -> str:
    """The first RUN as buildah says it: lines joined, spaces and all."""
    start = text.index("RUN")
    return text[start : text.index("FROM base")].replace("\\\n", "").strip()


def test_a_step_that_fails_is_said_with_its_output(there: Engine, base: str) -> None:
    text = b"ARG BASE\nFROM ${BASE} AS image\nRUN echo oh && exit 7\n"
    with pytest.raises(BuildFailedError, match="ended with exit code 7") as caught:
        podman.build(there, Context((ContextFile("Dockerfile", text),)), build_args={"BASE": base})
    assert caught.value.step == "[image 2/2] RUN echo oh && exit 7"
    assert caught.value.log_tail == ("oh",)


@pytest.mark.usefixtures("base")
def test_the_verb_builds_an_image_that_docker_runs(
    cli: Cli, engine: Engine, there: Engine, url: str, tmp_path: Path
) -> None:
    file = tmp_path / "by-podman.yaml"
    file.write_text("profile: 1\n")
    built = cli("build", str(file), "--engine", url)
    image_id, *names = built.stdout.split()
    for lack in podman.LACKS:
        assert lack in built.stderr
    assert there.client.images.get(names[0]).id == image_id
    # By name: with the containerd store an image has another id in Docker.
    saved = b"".join(there.client.images.get(names[0]).save(named=True))
    (loaded,) = engine.client.images.load(saved)
    try:
        for name in names:
            loaded.tag(name)
        cli("test", str(file))
    finally:
        for name in names:
            with suppress(docker.errors.ImageNotFound):
                engine.client.images.remove(name)


def test_what_it_cannot_do_is_refused(cli: Cli, url: str) -> None:
    for verb in (["test", "cpu-ssh"], ["run", "cpu-ssh", "--name", "x"], ["gc"]):
        done = cli(*verb, "--engine", url, check=False)
        assert done.returncode == 3
        assert "on which imagekit builds images and does nothing else" in done.stderr
