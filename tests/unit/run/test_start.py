"""Starting, resuming and removing a person's container, on a scripted engine."""

from __future__ import annotations

import io
import socket
import tarfile
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import docker.errors
import pytest

from imagekit import names
from imagekit.container import Secrets
from imagekit.engine.images import ImageFacts
from imagekit.errors import ImagekitError, InputError, WorkFailedError
from imagekit.events import Event, Notice
from imagekit.plan.model import Plan
from imagekit.run import person as people
from imagekit.run import ports, start
from imagekit.site import Site

SECRETS = Secrets("pass", "desk", jupyter_token="toke")


class Container:
    """A container that remembers what was done to it."""

    def __init__(self, docker_: Docker, arguments: dict[str, Any], plan: Plan) -> None:
        self.docker, self.arguments, self.plan = docker_, arguments, plan
        self.status = "created"
        self.archives: dict[str, bytes] = {}

    @property
    def name(self) -> str:
        return str(self.arguments["name"])

    @property
    def labels(self) -> dict[str, str]:
        return {**self.arguments["labels"], names.RESOLVED_LABEL: self.plan.to_json()}

    @property
    def attrs(self) -> dict[str, Any]:
        bindings = {
            port: [{"HostIp": ip, "HostPort": str(number)}]
            for port, (ip, number) in self.arguments["ports"].items()
        }
        return {
            "Id": "id",
            "Image": "sha256:image",
            "State": {"Status": self.status},
            "Config": {"Labels": self.labels},
            "HostConfig": {"PortBindings": bindings},
        }

    def put_archive(self, folder: str, data: bytes) -> None:
        assert self.status == "created"  # before the first process can miss them
        self.archives[folder] = data

    def get_archive(self, folder: str) -> tuple[list[bytes], None]:
        return [self.archives[folder]], None

    def start(self) -> None:
        if self.docker.start_errors:
            raise docker.errors.APIError("500", explanation=self.docker.start_errors.pop(0))
        self.status = "running"

    def reload(self) -> None:
        self.status = self.docker.status_after_start or self.status

    def exec_run(self, command: list[str]) -> Any:  # noqa: ARG002
        return SimpleNamespace(exit_code=self.docker.health.pop(0), output=b"web: not healthy\n")

    def logs(self, tail: int) -> bytes:  # noqa: ARG002
        return b"one\n\xfftwo\n"

    def remove(self, *, force: bool, v: bool = False) -> None:  # noqa: ARG002
        if self.docker.remove_error:
            raise self.docker.remove_error
        self.docker.containers_there.remove(self)


class Docker:
    """What of docker-py's client is used."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.containers_there: list[Container] = []
        self.volumes_gone: list[str] = []
        self.volumes_missing: set[str] = set()
        self.start_errors: list[str] = []
        self.status_after_start = ""
        self.health = [1, 0]
        self.remove_error: Exception | None = None
        self.containers = SimpleNamespace(
            create=self.create, list=self.list, get=lambda _: self.containers_there[-1]
        )
        self.volumes = SimpleNamespace(get=self.volume)

    def create(self, image: str, **arguments: Any) -> Container:
        assert image == "sha256:image"
        self.containers_there.append(Container(self, arguments, self.plan))
        return self.containers_there[-1]

    def list(
        self,
        *,
        all: bool,  # noqa: ARG002
        filters: dict[str, str],
        ignore_removed: bool,
    ) -> list[Container]:
        assert ignore_removed  # by somebody else, between the list and a look at each
        key, _, value = filters["label"].partition("=")
        return [
            container
            for container in self.containers_there
            if value in {"", container.arguments["labels"][key]}
        ]

    def volume(self, name: str) -> Any:
        if name in self.volumes_missing:
            raise docker.errors.NotFound("no such volume")
        return SimpleNamespace(remove=lambda: self.volumes_gone.append(name))


@pytest.fixture
def client(planned: Callable[[str], Plan], monkeypatch: pytest.MonkeyPatch) -> Docker:
    monkeypatch.setattr(ports, "_is_free", lambda *_: True)
    monkeypatch.setattr(start, "_POLL_SECONDS", 0)
    return Docker(planned("desktop: true"))


@pytest.fixture
def engine(client: Docker) -> Any:
    return SimpleNamespace(client=client, where="unix:///x (test)")


@pytest.fixture
def begin(engine: Any, client: Docker) -> Callable[..., tuple[people.Person, list[Event]]]:
    """Start a container for someone."""
    image = ImageFacts("sha256:image", {}, 1, "", (), "linux", "amd64")

    def begun(
        name: str = "zhang_san", site: Site | None = None, secrets: Secrets = SECRETS
    ) -> tuple[people.Person, list[Event]]:
        events: list[Event] = []
        request = start.Request(name, client.plan, image, secrets)
        return start.start(engine, request, site or Site(), events.append), events

    return begun


Begin = Callable[..., tuple[people.Person, list[Event]]]


def test_a_container_is_created_given_its_secrets_started_and_waited_for(
    begin: Begin, client: Docker, engine: Any
) -> None:
    person, events = begin()
    assert events == [Notice("waiting for the services")]
    assert (person.name, person.state, person.base) == ("zhang_san", "running", 6010)
    assert person.ports == ((22, 6012), (80, 6018))
    assert (person.profile, person.login) == (client.plan.profile, client.plan.user.name)
    (container,) = client.containers_there
    made = container.arguments
    assert (made["name"], made["hostname"]) == ("imagekit-zhang_san", "zhang-san")
    assert made["restart_policy"] == {"Name": "unless-stopped"}
    assert [mount["Target"] for mount in made["mounts"]] == [
        "/home/lab",
        "/var/lib/imagekit",
        "/run/secrets",
    ]
    with tarfile.open(fileobj=io.BytesIO(container.archives["/run/secrets"])) as archive:
        assert archive.getnames() == ["password", "desktop_password", "jupyter_token"]
    assert people.read_secrets(engine, person) == SECRETS


def test_jupyter_is_published_for_an_image_that_has_it(
    begin: Begin, client: Docker, planned: Callable[[str], Plan]
) -> None:
    client.plan = planned("desktop: true\njupyter: true")
    assert begin()[0].ports == ((22, 6012), (80, 6018), (8888, 6019))


def test_no_secret_stands_in_what_can_be_inspected(begin: Begin, client: Docker) -> None:
    begin()
    shown = repr(client.containers_there[0].arguments)
    assert list(client.containers_there[0].arguments["environment"]) == ["IMAGEKIT_NAMES"]
    assert SECRETS.password not in shown
    assert SECRETS.jupyter_token not in shown
    assert SECRETS.desktop_password not in shown.replace("desktop", "")


def test_the_next_person_gets_the_next_block(begin: Begin, client: Docker) -> None:
    begin("a")
    client.health = [0]
    assert begin("b")[0].base == 6020


def test_a_block_that_the_engine_finds_taken_is_left_for_the_next(
    begin: Begin, client: Docker
) -> None:
    client.start_errors = ["Bind for 127.0.0.1:6012 failed: port is already allocated"]
    person, events = begin()
    assert person.base == 6020
    assert events[0] == Notice("ports from 6010 are taken; trying the next block")
    assert len(client.containers_there) == 1


def test_after_three_blocks_the_engines_own_words_are_the_error(
    begin: Begin, client: Docker
) -> None:
    client.start_errors = ["address already in use"] * 3
    with pytest.raises(ImagekitError, match="address already in use"):
        begin()
    assert client.containers_there == []


@pytest.mark.parametrize("trouble", ["exited", "refused", "silent"])
def test_what_does_not_come_up_is_removed_but_not_the_home(
    begin: Begin, client: Docker, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    if trouble == "exited":
        client.status_after_start = "exited"
    elif trouble == "refused":
        client.start_errors = ["no such runtime"]
    else:
        monkeypatch.setattr(start, "_READY_SECONDS", -1)
    with pytest.raises(ImagekitError) as failed:
        begin()
    assert client.containers_there == []
    assert client.volumes_gone == ["imagekit-zhang_san-secrets"]
    if trouble != "refused":
        assert isinstance(failed.value, WorkFailedError)
        assert failed.value.messages[0].hint == "the end of its log:\none\n\ufffdtwo"


def test_an_engine_that_dies_meanwhile_is_an_expected_failure(begin: Begin, client: Docker) -> None:
    client.status_after_start = "exited"
    client.remove_error = docker.errors.APIError("500", explanation="shutting down")
    with pytest.raises(ImagekitError):
        begin()


@pytest.mark.parametrize("state", ["running", "exited"])
def test_whoever_has_a_container_keeps_it(
    begin: Begin, client: Docker, engine: Any, state: str
) -> None:
    begin()
    client.containers_there[0].status = state
    client.health = [0]
    person = people.must_find(engine, "zhang_san")
    events: list[Event] = []
    image = ImageFacts("sha256:newer", {}, 1, "", (), "linux", "amd64")
    assert start.resume(engine, person, image, events.append).state == "running"
    texts = [event.text for event in events if isinstance(event, Notice)]
    assert "is of another image than the profile's" in texts[0]
    assert texts[1:] == ([] if state == "running" else ["was exited; starting it"])


def test_a_container_is_resumed_before_the_profile_s_image_is_built(
    begin: Begin, client: Docker, engine: Any
) -> None:
    person, _ = begin()
    client.health = [0]
    events: list[Event] = []
    assert start.resume(engine, person, None, events.append).state == "running"
    assert [event.text for event in events if isinstance(event, Notice)] == [
        "zhang_san's container is of another image than the profile's, which is not built yet"
    ]


def test_removing_keeps_the_home_unless_it_is_purged(
    begin: Begin, client: Docker, engine: Any
) -> None:
    person, _ = begin()
    kept = people.remove(engine, person, purge=False)
    assert kept == ("imagekit-zhang_san-home", "imagekit-zhang_san-state")
    assert client.volumes_gone == ["imagekit-zhang_san-secrets"]
    client.health = [0]
    person, _ = begin()
    assert people.remove(engine, person, purge=True) == ()
    assert {*kept} < {*client.volumes_gone}


def test_a_volume_that_is_not_there_is_as_good_as_removed(
    begin: Begin, client: Docker, engine: Any
) -> None:
    person, _ = begin()
    client.volumes_missing = {"imagekit-zhang_san-state"}
    people.remove(engine, person, purge=True)
    assert client.volumes_gone == ["imagekit-zhang_san-home", "imagekit-zhang_san-secrets"]


def test_a_home_without_a_container_can_be_removed(client: Docker, engine: Any) -> None:
    client.volumes_missing = {"imagekit-li-secrets"}
    assert people.remove_volumes(engine, "li") == ("imagekit-li-home", "imagekit-li-state")
    client.volumes_missing |= {*client.volumes_gone}
    assert people.remove_volumes(engine, "li") == ()


def test_a_container_of_a_committed_image_is_nobodys(
    begin: Begin, client: Docker, engine: Any
) -> None:
    """`docker commit` copies the labels of a container into the image."""
    begin()
    copy = {**client.containers_there[0].arguments, "name": "backup"}
    client.containers_there.append(Container(client, copy, client.plan))
    assert len(people.everyone(engine)) == 1
    client.containers_there.pop(0)
    assert people.find(engine, "zhang_san") is None


def test_who_has_no_container_is_told_who_has(begin: Begin, engine: Any) -> None:
    with pytest.raises(WorkFailedError, match="imagekit run PROFILE --name PERSON"):
        people.must_find(engine, "li")
    begin()
    with pytest.raises(WorkFailedError, match="hint: there is zhang_san"):
        people.must_find(engine, "li")


@pytest.mark.parametrize("name", ["zhang", "zhang-san", "zhang_san", "2024-01", "a" * 32])
def test_names_of_people(name: str) -> None:
    assert people.check_name(name) == name


@pytest.mark.parametrize("name", ["", "-a", "_a", "Zhang", "a b", "a.b", "张", "a\n", "../a"])
def test_what_is_no_name_of_a_person(name: str) -> None:
    with pytest.raises(InputError, match="is no person's name"):
        people.check_name(name)


def test_a_container_outlives_the_format_of_the_plan(
    begin: Begin, client: Docker, engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin()
    old = '{"format": 1, "user": {"name": "lab"}}'
    monkeypatch.setattr(Plan, "to_json", lambda _: old)
    (person,) = people.everyone(engine)
    assert (person.profile, person.login) == (client.plan.profile, "lab")


@pytest.mark.parametrize(
    ("text", "keys_only"), [("", False), ("sshd: {password: false}", True), ("sshd: false", False)]
)
def test_whether_ssh_takes_keys_only_is_read_from_the_image(
    begin: Begin, client: Docker, planned: Callable[[str], Plan], text: str, keys_only: bool
) -> None:
    client.plan = planned(f"desktop: true\n{text}")
    assert begin()[0].keys_only == keys_only


def test_a_container_knows_by_which_names_it_is_reached(
    begin: Begin, client: Docker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "server")
    begin()
    assert client.containers_there[0].arguments["environment"] == {
        "IMAGEKIT_NAMES": "server 127.0.0.1"
    }
    named = start.reached_by(Site(host="gpu1.example.edu", bind="0.0.0.0"))  # noqa: S104
    assert named[:2] == ("gpu1.example.edu", "server")
    assert "0.0.0.0" not in named  # noqa: S104


def test_the_site_s_name_and_certificate_are_remembered_by_labels(
    begin: Begin, client: Docker
) -> None:
    person, _ = begin(
        site=Site(host="gpu1.example.edu"),
        secrets=replace(SECRETS, tls_certificate="pem", tls_key="private"),
    )
    assert (person.host, person.tls) == ("gpu1.example.edu", True)
    assert "private" not in repr(client.containers_there[0].arguments)
