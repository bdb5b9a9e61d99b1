"""Every release that images can be built on, beside the preferred one, which all tests use.

Debian 13 always; with ``IMAGEKIT_RELEASES=all``, or a list of ids, those.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import paramiko
import pytest
from docker.models.containers import Container

from imagekit import catalogue
from imagekit.engine.connection import Engine
from imagekit.wait import Deadline, NotYetError, until
from tests.docker.releases import DESKTOP, chosen
from tests.docker.support import Cli

pytestmark = pytest.mark.image

BUILT = [release.id for release in catalogue.os_releases().values() if release.built][1:]
SECONDS = 60.0


@dataclass(frozen=True)
class Built:
    """A release's image, and its profile."""

    release: str
    image: str
    profile: str


@pytest.fixture(scope="module", params=BUILT)
def built(
    request: pytest.FixtureRequest,
    engine: Engine,
    cli: Cli,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Built]:
    release = request.param
    if not chosen(release):
        pytest.skip("minutes; asked for with IMAGEKIT_RELEASES=all")
    name = f"rel-{release.replace('.', '')}"
    file = tmp_path_factory.mktemp("profile") / f"{name}.yaml"
    text = DESKTOP.replace("RELEASE", release)
    if not has_pinyin(release):
        text += "locale: {input: none}\n"
    file.write_text(text)
    yield Built(release, cli("build", str(file)).stdout.split()[0], str(file))
    for image in engine.client.images.list(name=f"imagekit/{name}"):
        for tag in image.tags:
            engine.client.images.remove(tag)


@pytest.fixture(scope="module")
def container(engine: Engine, built: Built) -> Iterator[Container]:
    """A container of the image, with its services up."""
    ports = {"22/tcp": ("127.0.0.1", None)}
    started = engine.client.containers.run(built.image, detach=True, ports=ports)

    def healthy() -> None:
        answer = started.exec_run(["/usr/lib/imagekit/health"])
        if answer.exit_code != 0:
            raise NotYetError(answer.output.decode())

    try:
        until(healthy, Deadline.after(SECONDS))
        started.reload()
        yield started
    finally:
        started.remove(force=True, v=True)


def test_it_is_that_release(built: Built, container: Container) -> None:
    row = catalogue.os_releases()[built.release]
    version = "import sys; print('%d.%d' % sys.version_info[:2])"
    assert output(container, "python3", "-c", version) == row.python
    assert output(container, "getconf", "GNU_LIBC_VERSION") == f"glibc {row.glibc}"
    assert f'VERSION_ID="{row.release}"' in output(container, "cat", "/etc/os-release").splitlines()


def test_every_check_passes(built: Built, cli: Cli) -> None:
    done = cli("test", built.profile, "--full", "--json", check=False)
    checks = json.loads(done.stdout)["checks"]
    failed = {check["name"]: check["reason"] for check in checks if check["status"] == "failed"}
    assert failed == {}
    passed = {check["name"] for check in checks if check["status"] == "passed"}
    asked = {"sshd", "sshd-password", "sshd-root", "locale", "web", "vnc", "resize", "desktop"}
    asked |= {"session", "opengl"}
    copied = set() if built.release == "ubuntu18.04" else {"clipboard"}  # TigerVNC 1.7
    typed = {"input"} if has_pinyin(built.release) else set()
    image = {"user", "hygiene", "installs", "layers"}
    assert {*asked, *typed, *copied, *image, "restart"} <= passed


def test_the_first_process_collects_orphans(container: Container) -> None:
    assert output(container, "cat", "/proc/1/comm") in {"tini", "dumb-init"}


def test_ssh_offers_keys_and_passwords_and_no_third_way(container: Container) -> None:
    """Keyboard-interactive asks for the password too, but by no switch of the profile's."""
    port = int(container.ports["22/tcp"][0]["HostPort"])
    with paramiko.Transport(("127.0.0.1", port)) as transport:
        transport.start_client(timeout=SECONDS)
        with pytest.raises(paramiko.BadAuthenticationType) as refused:
            transport.auth_none("lab")
    assert sorted(refused.value.allowed_types) == ["password", "publickey"]


def test_old_names_of_time_zones_are_there(container: Container) -> None:
    """The resolver takes all names of the IANA data base."""
    assert output(container, "env", "TZ=US/Pacific", "date", "--date=2026-01-01", "+%z") == "-0800"


def has_pinyin(release: str) -> bool:
    return "input.pinyin" in catalogue.os_releases()[release].packages


def output(container: Container, *command: str) -> str:
    code, said = container.exec_run(list(command))
    assert code == 0, said.decode()
    text: str = said.decode()
    return text.strip()
