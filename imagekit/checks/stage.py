"""A container of the image under test: made, entered, stopped, started, always removed.

The only module that knows testcontainers.
"""

from __future__ import annotations

import io
import os
import tarfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, cast

import docker.errors

from imagekit.checks import image as images
from imagekit.checks.host import gpus_on, not_given, remote_host
from imagekit.checks.leftovers import remove
from imagekit.checks.subject import EXECUTE_SECONDS, Gpus, Health, ImageConfig, State
from imagekit.checks.watch import Watch, watched
from imagekit.container import SECRETS_FOLDER, ContainerSpec, Secrets
from imagekit.engine.connection import Engine
from imagekit.engine.faults import in_words
from imagekit.errors import Message, WorkFailedError
from imagekit.names import RUN_LABEL

if TYPE_CHECKING:
    from docker.models.containers import Container

_NOT_STARTED = "the container did not start: "
_LOG_LINES = 200
_TIMED_OUT = 124  # timeout(1), "EXIT STATUS"
# The same of a command that ignored SIGTERM and was killed; and BusyBox's timeout has the
# command's own exit status, which then is that of a signal.
_SIGNALLED = frozenset({128 + 9, 128 + 15})
_DEATH_SECONDS = 30  # from SIGKILL to the container's end, on a busy machine

# What the engine makes of a command that its runtime cannot start.
_NOT_RUN = frozenset({126, 127})
_OF_THE_RUNTIME = b"OCI runtime exec failed"


def _no_twin() -> Container:
    raise NotImplementedError("only a container that `staged` made can have a twin")


class Stage:
    """One running container; it is an ``Inside``."""

    __slots__ = ("_container", "_creating", "_engine", "_ports", "_start_twin", "gpus")

    def __init__(  # noqa: PLR0913 (what it is made of)
        self,
        engine: Engine,
        container: Container,
        ports: Sequence[int],
        gpus: Gpus,
        start_twin: Callable[[], Container] = _no_twin,
        *,
        creating: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._engine = engine
        self._container = container
        self._ports = tuple(ports)
        self._start_twin = start_twin
        self._creating = creating
        self.gpus = gpus

    def execute(
        self, argv: Sequence[str], user: str = "", timeout: float = EXECUTE_SECONDS
    ) -> tuple[int, str]:
        """See ``Inside``. coreutils' timeout(1) of the image ends a command that hangs."""
        # The short option, which BusyBox has, too. Zero seconds would be no limit at all.
        bounded = ["timeout", "-k", "1", f"{max(timeout, 0.1):.1f}", *argv]
        begun = time.monotonic()
        try:
            done = self._container.exec_run(bounded, user=user)
        except docker.errors.APIError as error:
            raise OSError(f"the engine did not run {argv[0]}: {error.explanation}") from error
        late = time.monotonic() - begun >= timeout
        # The connection may break off while the command runs, which ends the output, too.
        if done.exit_code is None:
            raise OSError(f"the engine does not say how {argv[0]} ended")
        code, output = int(done.exit_code), cast("bytes", done.output)
        # The runtime's own answer, as timeout(1) words it differently.
        if code in _NOT_RUN and output.startswith(_OF_THE_RUNTIME):
            said = output.decode(errors="replace").strip()
            raise OSError(
                f"{argv[0]} was not run by the image's timeout(1), which has to be there: {said}"
            )
        if code == _TIMED_OUT or (late and code in _SIGNALLED):
            raise TimeoutError(f"{argv[0]} did not end in {timeout:.0f} s")
        return code, output.decode(errors="replace")

    def fetch(self, path: str) -> bytes:
        """A file's content; empty where there is no such file, or it is a link."""
        with in_words(self._engine.where), suppress(docker.errors.NotFound):
            pieces, _ = self._container.get_archive(path)
            with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as archive:
                member = archive.next()
                file = archive.extractfile(member) if member and member.isfile() else None
                return file.read() if file else b""
        return b""

    def put(self, archive: bytes) -> None:
        """Unpack a tar archive at ``/``."""
        with in_words(self._engine.where):
            self._container.put_archive("/", archive)

    def logs(self) -> str:
        """The last 200 lines of output and errors."""
        with in_words(self._engine.where):
            return self._container.logs(tail=_LOG_LINES).decode(errors="replace")

    def image(self) -> ImageConfig:
        """See ``Inside``."""
        return images.config(self._engine, self._image)

    def execute_afresh(
        self, argv: Sequence[str], timeout: float = EXECUTE_SECONDS
    ) -> tuple[int, str]:
        """See ``Inside``. The container is of the same run, so it goes with it at the latest."""
        labels = {RUN_LABEL: self._container.labels.get(RUN_LABEL, "")}
        return images.execute(
            self._engine, self._image, labels, argv, timeout, creating=self._creating
        )

    def saved(self, timeout: float) -> Iterator[bytes]:
        """See ``Inside``."""
        return images.saved(self._engine, self._image, timeout)

    @property
    def _image(self) -> str:
        """The image's id."""
        return str(self._container.attrs["Image"])

    def state(self) -> State:
        """How the engine sees the container now."""
        with in_words(self._engine.where):
            self._container.reload()
        state = self._container.attrs["State"]
        return State(bool(state["Running"]), int(state["ExitCode"]))

    def health(self) -> Health:
        """See ``Inside``."""
        with in_words(self._engine.where):
            self._container.reload()
        health = self._container.attrs["State"].get("Health") or {}
        status = str(health.get("Status") or "none")
        probes = health.get("Log") or [{}]
        return Health(
            status="" if status == "none" else status,
            output=str(probes[-1].get("Output", "")).strip(),
            probed=str(probes[-1].get("Start", "")),
        )

    def kill(self) -> State:
        """End everything in the container at once (SIGKILL), as a power cut would."""
        with in_words(self._engine.where):
            self._container.kill()
            self._container.wait(timeout=_DEATH_SECONDS)
        return self.state()

    def stop(self, seconds: int) -> State:
        """Ask PID 1 to end (SIGTERM); after ``seconds`` the engine kills it (exit code 137)."""
        with in_words(self._engine.where):
            self._container.stop(timeout=seconds)
        return self.state()

    def start(self) -> None:
        """Start the stopped container again; the engine may choose other host ports."""
        with in_words(self._engine.where):
            self._container.start()

    def addresses(self) -> Mapping[int, tuple[str, int]]:
        """Container port to the host name and port that reach it now."""
        with in_words(self._engine.where):
            self._container.reload()
        network = self._container.attrs["NetworkSettings"]
        host = remote_host(self._engine) or "127.0.0.1"
        found: dict[int, tuple[str, int]] = {}
        for port in self._ports:
            if bindings := (network["Ports"] or {}).get(f"{port}/tcp"):
                found[port] = (host, int(bindings[0]["HostPort"]))
        return found

    @contextmanager
    def twin(self) -> Iterator[Stage]:
        """A second container, started like this one but with volumes of its own; removed.

        It has no GPUs.

        Raises:
            EngineError: the engine cannot be reached or refuses.
            WorkFailedError: the container cannot be started.
        """
        container = self._start_twin()
        try:
            yield Stage(self._engine, container, self._ports, Gpus(), creating=self._creating)
        finally:
            with in_words(self._engine.where), suppress(docker.errors.NotFound):
                container.remove(v=True, force=True)


@dataclass(frozen=True, slots=True)
class _Run:
    """What has containers: where, their label's value, and who watches them."""

    engine: Engine
    id: str
    watch: Watch


@contextmanager
def staged(engine: Engine, spec: ContainerSpec, secrets: Secrets) -> Iterator[Stage]:
    """A started container that got its secrets before it began; removed with its volumes.

    GPUs that ``spec`` asks for and the engine does not give are left out; ``Stage.gpus``
    then says why, and whether the host or the request is to blame.

    Raises:
        EngineError: the engine cannot be reached or refuses.
        WorkFailedError: the container cannot be started.
    """
    name = uuid.uuid4().hex
    with watched(engine, name) as watch:
        run = _Run(engine, name, watch)
        try:
            container, gpus = _start_with_gpus(run, spec, secrets)
            twin = partial(_start, run, replace(spec, gpus=""), secrets)
            ports = [port.container_port for port in spec.ports]
            yield Stage(engine, container, ports, gpus, twin, creating=watch.creating)
        finally:
            with watch.removing():
                remove(engine, name)


def loopback_or_all(engine: Engine) -> str:
    """Where to publish ports: on loopback only, unless the engine is on another machine."""
    return "0.0.0.0" if remote_host(engine) else "127.0.0.1"  # noqa: S104 (passwords are fresh)


def _start_with_gpus(run: _Run, spec: ContainerSpec, secrets: Secrets) -> tuple[Container, Gpus]:
    if not spec.gpus:
        return _start(run, spec, secrets), Gpus()
    try:
        container = _start(run, spec, secrets)
    except WorkFailedError as error:
        refusal = error.messages[0].what.removeprefix(_NOT_STARTED)
        if not any(word in refusal.lower() for word in ("device driver", "nvidia", "cdi ", "gpu")):
            raise
        remove(run.engine, run.id)
        # The other checks are asked all the same.
        container = _start(run, replace(spec, gpus=""), secrets)
        return container, not_given(run.engine, spec.gpus, refusal)
    return container, Gpus(spec.gpus, missing="", on_host=gpus_on(run.engine))


def _start(run: _Run, spec: ContainerSpec, secrets: Secrets) -> Container:
    engine = run.engine
    from testcontainers.core.config import testcontainers_config  # noqa: PLC0415 (slow import)
    from testcontainers.core.container import DockerContainer  # noqa: PLC0415

    # testcontainers removes containers by a helper of its own, ryuk, whose image it
    # pulls: it cannot be assumed to exist on a lab's server, and we remove by label.
    testcontainers_config.ryuk_disabled = True
    # With registry credentials in DOCKER_AUTH_CONFIG, as GitLab sets it, it would log
    # in and warn; nothing is pulled here.
    testcontainers_config._docker_auth_config = None
    with _environment_kept("DOCKER_HOST"):
        # A fixed API version keeps its own client from calling an engine; ours is put
        # in its place, as it may well be for another one (a context, an option).
        container = DockerContainer(spec.image, {"version": engine.api_version, "environment": {}})
    theirs = container.get_docker_client()
    theirs.client.close()
    theirs.client = engine.client
    container.image = spec.image  # without TESTCONTAINERS_HUB_IMAGE_NAME_PREFIX
    arguments = spec.arguments()
    arguments["labels"] = {**arguments["labels"], RUN_LABEL: run.id}
    # Its own parameter "ports" knows no host address; what it is given here wins.
    container.ports = arguments.pop("ports")
    container.tmpfs = arguments.pop("tmpfs")
    container.env = arguments.pop("environment", {})
    container.with_command(arguments.pop("command", None))
    container.with_name(arguments.pop("name", None)).with_kwargs(**arguments)
    for name, data in secrets.files().items():
        container.with_copy_into_container(data, f"{SECRETS_FOLDER}/{name}", 0o400)
    with in_words(engine.where), run.watch.creating():
        try:
            container.start()
        except docker.errors.APIError as error:
            raise WorkFailedError(
                Message(spec.image, f"{_NOT_STARTED}{error.explanation}")
            ) from error
    return container.get_wrapped_container()


@contextmanager
def _environment_kept(name: str) -> Iterator[None]:
    """Undo what the body does to a variable: testcontainers sets DOCKER_HOST for all."""
    before = os.environ.get(name)
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = before
