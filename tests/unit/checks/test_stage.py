import io
import os
import tarfile
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import docker.errors
import pytest

from imagekit.checks import host, watch
from imagekit.checks.stage import Stage, loopback_or_all, staged
from imagekit.checks.subject import Gpus, Health, State
from imagekit.checks.watch import Watch
from imagekit.container import ContainerSpec, Mount, Port, Secrets
from imagekit.engine.connection import Engine
from imagekit.errors import EngineError, WorkFailedError
from imagekit.names import RUN_LABEL

SECRETS = Secrets("pass-word", "desk-top", "ssh-ed25519 AAAA x")
SPEC = ContainerSpec(
    image="sha256:aa",
    ports=(Port(22, "127.0.0.1", 0), Port(80, "127.0.0.1", 0)),
    mounts=(Mount("", "/run/secrets"),),
)
GPU_REFUSAL = 'could not select device driver "" with capabilities: [[gpu]]'


@pytest.fixture(autouse=True)
def idle_watchers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Watchers that know of nothing to do."""
    monkeypatch.setattr(watch, "introduction", lambda *_: "")


class FakeContainer:
    def __init__(self, client: "FakeClient", arguments: dict[str, Any]) -> None:
        self.client = client
        self.arguments = arguments
        self.id = self.short_id = "cafe"
        self.files: dict[str, tuple[bytes, int]] = {}
        self.did: list[str] = []
        self.attrs: dict[str, Any] = {}
        self.labels: dict[str, str] = arguments["labels"]
        self.exec_result = SimpleNamespace(exit_code=0, output=b"hello")
        self.exec_argv: list[str] = []
        self.exec_user = ""

    def put_archive(self, path: str, data: bytes) -> bool:
        self.did.append("put")
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for member in archive:
                file = archive.extractfile(member)
                assert file is not None
                self.files[f"{path}{member.name}".replace("//", "/")] = (file.read(), member.mode)
        return True

    def get_archive(self, path: str) -> tuple[list[bytes], dict[str, Any]]:
        if path == "/etc/none":
            raise docker.errors.NotFound("404")
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as archive:
            info = tarfile.TarInfo(path.rpartition("/")[2])
            data = self.files.get(path, (b"", 0))[0]
            info.size = len(data)
            if path == "/etc/link":
                info.type, info.linkname = tarfile.SYMTYPE, "passwd"
            archive.addfile(info, io.BytesIO(data))
        whole = out.getvalue()
        return [whole[:100], whole[100:]], {}

    def start(self) -> None:
        if refusal := self.client.refuse():
            raise docker.errors.APIError("500", explanation=refusal)
        self.did.append("start")
        self._look(running=True)

    def stop(self, timeout: int) -> None:
        self.did.append(f"stop {timeout}")
        self._look(running=False)

    def kill(self) -> None:
        self.did.append("kill")
        self._look(running=False)

    def wait(self, timeout: int) -> None:
        assert timeout > 0
        self.did.append("wait")

    def reload(self) -> None:
        pass

    def _look(self, running: bool) -> None:
        ports = {"22/tcp": [{"HostIp": "127.0.0.1", "HostPort": "4022"}], "80/tcp": None}
        self.attrs = {
            "State": {"Running": running, "ExitCode": 143, **self.client.health},
            "NetworkSettings": {"Ports": ports},
        }

    def exec_run(self, argv: list[str], user: str) -> Any:
        self.exec_argv, self.exec_user = argv, user
        return self.exec_result

    def logs(self, tail: int) -> bytes:
        return b"last words"[-tail:]

    def remove(self, v: bool, force: bool) -> None:
        assert v
        assert force
        self.did.append("remove")
        self.client.existing.remove(self)


class FakeClient:
    """docker-py's client, as far as testcontainers and the stage go."""

    def __init__(self) -> None:
        self.made: list[FakeContainer] = []
        self.existing: list[FakeContainer] = []
        self.refusals: list[str] = []
        self.containers = self.images = self.networks = self
        self.pulled = False
        self.health: dict[str, Any] = {}
        self.api = SimpleNamespace(base_url="http+docker://localhost")

    def refuse(self) -> str:
        return self.refusals.pop(0) if self.refusals else ""

    def get(self, image: str) -> Any:
        assert image == "sha256:aa"

    def pull(self, *_: Any) -> None:
        self.pulled = True

    def info(self) -> dict[str, Any]:
        return {"Runtimes": {"runc": {}}}

    def create(self, image: str, **arguments: Any) -> FakeContainer:
        container = FakeContainer(self, {"image": image, **arguments})
        self.made.append(container)
        self.existing.append(container)
        return container

    def list(self, filters: dict[str, str], **options: Any) -> Any:
        if "label" not in filters:  # networks
            return []
        assert options == {"all": True, "sparse": True}
        name, _, value = filters["label"].partition("=")
        assert name == RUN_LABEL
        return [c for c in self.existing if c.arguments["labels"].get(name) == value]


def engine(client: FakeClient, address: str = "unix:///var/run/docker.sock") -> Engine:
    return Engine(client, address, "a test", "27.0", "1.41", True, "overlay2")  # type: ignore[arg-type]


def test_secrets_are_in_before_the_start_and_nothing_is_left() -> None:
    client = FakeClient()
    with staged(engine(client), SPEC, SECRETS) as stage:
        (container,) = client.made
        assert container.did == ["put", "put", "put", "start"]
        assert container.files["/run/secrets/password"] == (b"pass-word\n", 0o400)
        assert container.files["/run/secrets/desktop_password"] == (b"desk-top\n", 0o400)
        assert set(container.files) == {f"/run/secrets/{name}" for name in SECRETS.files()}
        arguments = container.arguments
        assert arguments["image"] == "sha256:aa"
        assert arguments["ports"] == {"22/tcp": ("127.0.0.1", None), "80/tcp": ("127.0.0.1", None)}
        assert arguments["shm_size"] == 1 << 30
        assert arguments["mounts"][0]["Target"] == "/run/secrets"
        assert "pass-word" not in str(arguments)
        assert stage.addresses() == {22: ("127.0.0.1", 4022)}
        assert stage.state() == State(running=True, exit_code=143)
        assert stage.gpus.missing.startswith("no GPU was asked for: ")
    assert client.existing == []
    assert not client.pulled


def test_stop_start_logs_and_execute() -> None:
    client = FakeClient()
    with staged(engine(client), SPEC, SECRETS) as stage:
        (container,) = client.made
        assert stage.execute(["id", "-un"], user="lab", timeout=3) == (0, "hello")
        assert container.exec_argv == ["timeout", "-k", "1", "3.0", "id", "-un"]
        assert container.exec_user == "lab"
        stage.execute(["id"], timeout=0.04)
        assert container.exec_argv[:4] == ["timeout", "-k", "1", "0.1"]  # 0.0 is no limit
        container.exec_result = SimpleNamespace(exit_code=124, output=b"")
        with pytest.raises(TimeoutError, match="id did not end"):
            stage.execute(["id"])
        assert stage.logs() == "last words"
        assert not stage.stop(10).running
        stage.start()
        assert container.did[-2:] == ["stop 10", "start"]
        assert not stage.kill().running
        assert container.did[-2:] == ["kill", "wait"]


@pytest.mark.parametrize("code", [137, 143])  # killed by coreutils', ended by BusyBox's
def test_a_command_that_a_signal_had_to_end(code: int) -> None:
    client = FakeClient()
    with staged(engine(client), SPEC, SECRETS) as stage:
        client.made[0].exec_result = SimpleNamespace(exit_code=code, output=b"hello")
        with pytest.raises(TimeoutError, match="id did not end in 0 s"):
            stage.execute(["id"], timeout=0)
        # By somebody else, before its time was over.
        assert stage.execute(["id"]) == (code, "hello")


def test_a_command_of_which_the_engine_does_not_say_how_it_ended() -> None:
    client = FakeClient()
    with staged(engine(client), SPEC, SECRETS) as stage:
        client.made[0].exec_result = SimpleNamespace(exit_code=None, output=b"hel")
        with pytest.raises(OSError, match="the engine does not say how id ended"):
            stage.execute(["id"])


@pytest.mark.parametrize(
    ("said", "health"),
    [
        ({}, Health("")),
        ({"Health": {"Status": "none"}}, Health("")),
        ({"Health": {"Status": "starting", "Log": None}}, Health("starting")),
        (
            {
                "Health": {
                    "Status": "unhealthy",
                    "Log": [
                        {"Start": "2026-01-01", "Output": ""},
                        {"Start": "2026-01-02", "Output": "sshd: not healthy\n"},
                    ],
                }
            },
            Health("unhealthy", "sshd: not healthy", "2026-01-02"),
        ),
    ],
)
def test_health(said: dict[str, Any], health: Health) -> None:
    client = FakeClient()
    client.health = said
    with staged(engine(client), SPEC, SECRETS) as stage:
        assert stage.health() == health


def test_a_twin_is_another_container_without_gpus() -> None:
    client = FakeClient()
    with staged(engine(client), replace(SPEC, gpus="all"), SECRETS) as stage:
        with stage.twin() as twin:
            first, second = client.made
            assert "device_requests" in first.arguments
            assert "device_requests" not in second.arguments
            assert second.files == first.files
            assert second.arguments["labels"] == first.arguments["labels"]
            assert twin.addresses() == {22: ("127.0.0.1", 4022)}
        assert client.existing == [first]
    assert client.existing == []


def test_the_watcher_is_told_what_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(Watch, "tell", lambda _self, line: told.append(line))
    client = FakeClient()
    client.refusals = [GPU_REFUSAL]
    with staged(engine(client), replace(SPEC, gpus="all"), SECRETS):
        assert told[1:] == ["creating", "created"] * 2
    assert told[-1] == "done"


def test_the_watcher_goes_on_when_a_request_was_interrupted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[str] = []
    monkeypatch.setattr(Watch, "tell", lambda _self, line: told.append(line))

    def interrupted(*_: Any, **_options: Any) -> FakeContainer:
        raise KeyboardInterrupt

    monkeypatch.setattr(FakeClient, "create", interrupted)
    with pytest.raises(KeyboardInterrupt), staged(engine(FakeClient()), SPEC, SECRETS):
        pass
    assert told[1:] == ["creating"]


def test_the_watcher_goes_on_when_a_check_asked_for_a_container(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[str] = []
    monkeypatch.setattr(Watch, "tell", lambda _self, line: told.append(line))
    client = FakeClient()
    asked, go_on = threading.Event(), threading.Event()
    create = client.create

    def slow(image: str, **arguments: Any) -> FakeContainer:
        asked.set()
        go_on.wait(10)
        return create(image, **arguments)

    def hygiene(stage: Stage) -> None:
        # What becomes of it is nobody's business any more.
        with suppress(OSError, TypeError, AttributeError):
            stage.execute_afresh(["true"])

    def interrupted() -> threading.Thread:
        thread = threading.Thread()
        with suppress(KeyboardInterrupt), staged(engine(client), SPEC, SECRETS) as stage:
            client.made[0].attrs["Image"] = "sha256:aa"
            monkeypatch.setattr(client, "create", slow)
            thread = threading.Thread(target=hygiene, args=(stage,))
            thread.start()
            assert asked.wait(10)
            raise KeyboardInterrupt
        return thread

    thread = interrupted()
    assert told[3:] == ["creating"]
    go_on.set()
    thread.join(10)
    assert told[3:] == ["creating", "created"]


def test_the_watcher_is_told_that_a_check_has_its_container(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[str] = []
    monkeypatch.setattr(Watch, "tell", lambda _self, line: told.append(line))

    def refuses(*_: Any, **_options: Any) -> None:
        raise docker.errors.APIError("500", explanation="disk on fire")

    client = FakeClient()
    with staged(engine(client), SPEC, SECRETS) as stage:
        client.made[0].attrs["Image"] = "sha256:aa"
        with monkeypatch.context() as patch:
            patch.setattr(client, "create", refuses)
            with pytest.raises(OSError, match="disk on fire"):
                stage.execute_afresh(["true"])
        assert told[3:] == ["creating", "created"]
    assert told[-1] == "done"


def test_the_watcher_goes_on_when_the_run_could_not_remove_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[str] = []
    monkeypatch.setattr(Watch, "tell", lambda _self, line: told.append(line))

    def refuses(*_: Any, **_options: Any) -> None:
        answer: Any = SimpleNamespace(status_code=500, url="", reason="")
        raise docker.errors.APIError("", answer, "busy")

    client = FakeClient()
    with pytest.raises(EngineError, match="busy"), staged(engine(client), SPEC, SECRETS):
        monkeypatch.setattr(FakeContainer, "remove", refuses)
    assert told[1:] == ["creating", "created"]


@pytest.mark.parametrize("code", [126, 127])
def test_an_image_without_timeout(code: int) -> None:
    client = FakeClient()
    with staged(engine(client), SPEC, SECRETS) as stage:
        said = b'OCI runtime exec failed: exec: "timeout": executable file not found in $PATH'
        client.made[0].exec_result = SimpleNamespace(exit_code=code, output=said)
        with pytest.raises(OSError, match=r"id was not run by .* timeout\(1\).*: OCI .* not found"):
            stage.execute(["id"])
        # timeout(1)'s own words for a command that is not there.
        client.made[0].exec_result = SimpleNamespace(exit_code=code, output=b"timeout: no id")
        assert stage.execute(["id"]) == (code, "timeout: no id")


def test_files_are_fetched_and_put() -> None:
    client = FakeClient()
    with staged(engine(client), SPEC, SECRETS) as stage:
        assert stage.fetch("/run/secrets/password") == b"pass-word\n"
        assert stage.fetch("/etc/none") == b""
        assert stage.fetch("/etc/link") == b""
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as archive:
            info = tarfile.TarInfo("root/x")
            info.size = 3
            archive.addfile(info, io.BytesIO(b"abc"))
        stage.put(out.getvalue())
        assert client.made[0].files["/root/x"][0] == b"abc"


def test_a_command_of_ones_own_and_an_untouched_run() -> None:
    client = FakeClient()
    spec = ContainerSpec(image="sha256:aa", command=("sshd", "-D"), fresh_run=False)
    with staged(engine(client), spec, SECRETS):
        arguments = client.made[0].arguments
        assert (arguments["command"], arguments["tmpfs"]) == (["sshd", "-D"], {})


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_removed_however_it_ends(error: type[BaseException]) -> None:
    client = FakeClient()
    with pytest.raises(error), staged(engine(client), SPEC, SECRETS):
        raise error
    assert client.made[0].did[-1] == "remove"


def test_removed_when_the_secrets_cannot_be_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any, **_options: Any) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(FakeContainer, "put_archive", interrupted)
    client = FakeClient()
    with pytest.raises(KeyboardInterrupt), staged(engine(client), SPEC, SECRETS):
        pass
    assert client.made[0].did == ["remove"]


def test_container_that_cannot_start() -> None:
    client = FakeClient()
    client.refusals = ["exec: tini: not found"]
    with (
        pytest.raises(WorkFailedError, match="did not start: exec: tini: not found"),
        staged(engine(client), SPEC, SECRETS),
    ):
        pass
    assert client.existing == []


HOOK = (
    "OCI runtime create failed: error running hook #0: exit status 1, stdout: , stderr: "
    "Auto-detected mode as 'legacy'\nnvidia-container-cli: "
)
WITH_GPUS = ContainerSpec(image="sha256:aa", gpus="all")


@pytest.fixture(autouse=True)
def driver(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where this host's driver would tell of its GPUs; there is none."""
    monkeypatch.setattr(host, "_DRIVER", tmp_path / "nvidia")
    return tmp_path / "nvidia"


@pytest.mark.parametrize(
    ("refusal", "reason"),
    [
        (GPU_REFUSAL, "its host lacks the NVIDIA Container Toolkit"),
        (
            "failed to discover GPU vendor from CDI: no known GPU vendor found",
            "its host lacks the NVIDIA Container Toolkit",
        ),
        (
            f"{HOOK}initialization error: load library failed: libnvidia-ml.so.1: cannot open",
            "no GPU with a driver",
        ),
        (f"{HOOK}initialization error: nvml error: driver not loaded", "has not loaded NVIDIA's"),
        (
            "CDI device injection failed: unresolvable CDI devices nvidia.com/gpu=all",
            "no CDI specification",
        ),
    ],
)
def test_gpus_that_the_engine_does_not_have_are_left_out(refusal: str, reason: str) -> None:
    client = FakeClient()
    client.refusals = [refusal]
    with staged(engine(client), WITH_GPUS, SECRETS) as stage:
        first, second = client.made
        assert "device_requests" in first.arguments
        assert "device_requests" not in second.arguments
        assert reason in stage.gpus.missing
        assert " ".join(refusal.split())[-50:] in stage.gpus.missing
        assert "the engine offers no NVIDIA runtime" in stage.gpus.missing
        assert "nvidia is missing on this host" in stage.gpus.missing
        assert stage.gpus.remedy == ""
    assert client.existing == []


@pytest.mark.parametrize(
    ("refusal", "reason", "remedy"),
    [
        (f"{HOOK}device error: GPU-9: unknown device", "no such GPU", "nvidia-smi -L"),
        (
            "unresolvable CDI devices nvidia.com/gpu=GPU-9",
            "no such GPU",
            "a CDI specification is old",
        ),
        (f"{HOOK}nvml error: driver/library version mismatch", "old driver's module", "reboot"),
        (
            f"{HOOK}requirement error: unsatisfied condition: cuda>=12.8, please update",
            "older than the image's base asks for",
            "imagekit list --driver",
        ),
        (f"{HOOK}initialization error: driver rpc error: timed out", "not answer", "-pm 1"),
        (f"{HOOK}container error: cgroup subsystem devices not found", "cgroups", "1.8"),
        (f"{HOOK}mount error: something new", "gives no GPUs: ", "NVIDIA Container Toolkit"),
    ],
)
def test_gpus_that_the_host_does_not_give_are_its_fault(
    refusal: str, reason: str, remedy: str
) -> None:
    client = FakeClient()
    client.refusals = [refusal]
    with staged(engine(client), WITH_GPUS, SECRETS) as stage:
        assert reason in stage.gpus.missing
        assert remedy in stage.gpus.remedy
    assert client.existing == []


def test_a_container_that_starts_without_gpus_no_better_fails() -> None:
    client = FakeClient()
    client.refusals = ["exec: /opt/nvidia/entrypoint.sh: not found"] * 2
    with (
        pytest.raises(WorkFailedError, match="not found"),
        staged(engine(client), WITH_GPUS, SECRETS),
    ):
        pass
    assert client.existing == []


def test_gpus_that_are_there(driver: Path) -> None:
    for number, excluded in enumerate(("No", "Yes", "No")):
        file = driver / "gpus" / f"0000:0{number}:00.0" / "information"
        file.parent.mkdir(parents=True)
        file.write_text(
            f"Model: \t Tesla T4\nDevice Minor: \t {number}\nGPU Excluded:\t {excluded}\n"
        )
    spec = ContainerSpec(image="sha256:aa", gpus="GPU-1,GPU-2")
    with staged(engine(FakeClient()), spec, SECRETS) as stage:
        assert stage.gpus == Gpus("GPU-1,GPU-2", missing="", on_host=2)
    with staged(engine(FakeClient(), "tcp://gpu1:2376"), spec, SECRETS) as stage:
        assert stage.gpus.on_host == 0


def test_the_environment_stays_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    # What testcontainers would heed, change, or log in with.
    monkeypatch.setenv("DOCKER_HOST", "ssh://elsewhere/path")
    monkeypatch.setenv("TESTCONTAINERS_HUB_IMAGE_NAME_PREFIX", "mirror/")
    with staged(engine(FakeClient()), SPEC, SECRETS):
        assert os.environ["DOCKER_HOST"] == "ssh://elsewhere/path"


@pytest.mark.parametrize(
    ("address", "ip"),
    [
        ("unix:///run/docker.sock", "127.0.0.1"),
        ("tcp://localhost:2375", "127.0.0.1"),
        ("tcp://gpu1:2376", "0.0.0.0"),  # noqa: S104
        ("ssh://me@gpu1", "0.0.0.0"),  # noqa: S104
    ],
)
def test_ports_are_published_where_we_can_reach_them(address: str, ip: str) -> None:
    assert loopback_or_all(engine(FakeClient(), address)) == ip
