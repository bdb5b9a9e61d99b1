"""Building with mirrors while every other way out is blocked.

A proxy on the engine's own bridge serves what this machine's apt, pip and npm are set to.
A firewall rule refuses all else that new containers on the bridge ask for.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import socket
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from imagekit import assets, bases, catalogue, site
from imagekit.engine.connection import Engine
from imagekit.events import ignore
from imagekit.plan.model import Os
from tests.docker.archives import gateway, upstream
from tests.docker.releases import DESKTOP, SSH_ONLY, chosen
from tests.docker.reverseproxy import ReverseProxy, serving
from tests.docker.support import Cli
from tests.required import missing

pytestmark = pytest.mark.image

CHAIN = "IMAGEKIT-TEST"

# Debian 11 has one-line sources, the others deb822. The desktop needs pip and npm too; its
# steps are those that test_releases.py needs.
PROFILES = {"debian11": SSH_ONLY, "debian12": SSH_ONLY, "debian13": DESKTOP}


@dataclass(frozen=True)
class Bridge:
    """The engine's default network, and this machine's address there."""

    address: str
    network: str


@dataclass(frozen=True)
class Case:
    """A profile in a file, and the base image that it stands on."""

    release: str
    file: str
    base: str


@pytest.fixture(scope="module")
def bridge(engine: Engine) -> Bridge:
    address, network = gateway(engine)
    try:
        with socket.socket() as probe:
            probe.bind((address, 0))
    except OSError:
        missing("iptables", "the engine's bridge is not on this machine")
    return Bridge(address, network)


@pytest.fixture(scope="module")
def mirror(bridge: Bridge, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReverseProxy]:
    served = upstream(tmp_path_factory.mktemp("npm"))
    if not {"debian", "debian-security"} <= served.keys():
        missing("iptables", "this machine's apt has no Debian archive to forward to")
    with serving(bridge.address, served) as proxy:
        yield proxy


@pytest.fixture
def with_mirrors(mirror: ReverseProxy, tmp_path: Path) -> str:
    """A site file that names the mirror for everything."""
    file = tmp_path / "mirrors.yaml"
    kinds = {"apt": "", "pypi": "/simple", "npm": "/npm"}
    lines = [f"  {kind}: {mirror.url}{path}\n" for kind, path in kinds.items()]
    file.write_text("site: 1\nmirrors:\n" + "".join(lines))
    return str(file)


@pytest.fixture
def without_mirrors(tmp_path: Path) -> str:
    """A site file without any."""
    file = tmp_path / "plain.yaml"
    file.write_text("site: 1\n")
    return str(file)


@pytest.fixture
def case(request: pytest.FixtureRequest, engine: Engine, tmp_path: Path) -> Iterator[Case]:
    """A release's profile; its base is in the engine before anything is blocked."""
    release = catalogue.os_releases()[request.param]
    if release.id == "debian11" and not chosen(release.id):
        pytest.skip("its support ended; asked for with IMAGEKIT_RELEASES=all")
    system = Os(release.id, release.image, release.suite)
    base = bases.obtain(engine, system, site.load(), fresh=False, on_event=ignore)
    name = f"rel-mirror-{release.id}"
    file = tmp_path / f"{name}.yaml"
    file.write_text(PROFILES[release.id].replace("RELEASE", release.id))
    yield Case(release.id, str(file), base.reference)
    for image in engine.client.images.list(name=f"imagekit/{name}"):
        for tag in image.tags:
            engine.client.images.remove(tag)


@contextmanager
def blocked(engine: Engine, bridge: Bridge, mirror: ReverseProxy) -> Iterator[None]:
    """Refuse what containers started from now on ask for, unless they ask the mirror.

    Containers that run already are other people's, and go on as they are.
    """
    if shutil.which("iptables") is None or os.geteuid() != 0:
        missing("iptables", "blocking the way out needs root and iptables")
    running = [
        network["IPAddress"]
        for container in engine.client.containers.list()
        for network in container.attrs["NetworkSettings"]["Networks"].values()
    ]
    rules = [["-s", address, "-j", "RETURN"] for address in running if address]
    to_mirror = ["-d", bridge.address, "-p", "tcp", "--dport", str(mirror.port)]
    rules += [[*to_mirror, "-j", "RETURN"], ["-j", "REJECT"]]
    hooks = [[hook, "-s", bridge.network, "-j", CHAIN] for hook in ("INPUT", "FORWARD")]
    iptables("-N", CHAIN)
    try:
        for rule in rules:
            iptables("-A", CHAIN, *rule)
        for hook in hooks:
            iptables("-I", *hook)
        yield
    finally:
        for hook in hooks:
            iptables("-D", *hook, check=False)
        iptables("-F", CHAIN)
        iptables("-X", CHAIN)


def iptables(*arguments: str, check: bool = True) -> None:
    subprocess.run(["iptables", "--wait", *arguments], check=check, capture_output=True)


@pytest.mark.parametrize("case", PROFILES, indirect=True)
def test_a_build_needs_nothing_but_the_mirror(  # noqa: PLR0917 - fixtures
    engine: Engine,
    cli: Cli,
    bridge: Bridge,
    mirror: ReverseProxy,
    case: Case,
    with_mirrors: str,
    without_mirrors: str,
) -> None:
    assert sources_form(engine, case.base) == catalogue.os_releases()[case.release].sources
    before = mirror.asked.copy()
    with blocked(engine, bridge, mirror):
        # Without caches, nothing but the network can have what the build asks for.
        built = cli("build", case.file, "--no-cache", "--site", with_mirrors).stdout.split()[0]
    asked = mirror.asked - before
    of_pip_and_npm = {"simple", "files", "npm"} if PROFILES[case.release] == DESKTOP else set()
    assert set(asked) == {"debian", "debian-security"} | of_pip_and_npm

    again = cli("build", case.file, "--site", without_mirrors, "--progress", "json")
    assert steps_that_ran(again.stderr) == []
    assert again.stdout.split()[0] == built
    assert mirror.asked - before == asked
    assert mirror.url not in json.dumps(engine.client.images.get(built).history())


@pytest.mark.parametrize("case", ["debian12"], indirect=True)
def test_the_block_is_real(
    engine: Engine, cli: Cli, bridge: Bridge, mirror: ReverseProxy, case: Case
) -> None:
    with blocked(engine, bridge, mirror):
        failed = cli("build", case.file, "--no-cache", check=False)
    assert failed.returncode == 1
    assert re.search("Failed to fetch|Temporary failure resolving", failed.stderr)


def test_a_place_does_not_change_the_dockerfile(
    cli: Cli, with_mirrors: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "rel-mirror.yaml"
    file.write_text(DESKTOP.replace("RELEASE", "debian13"))
    without = cli("render", str(file)).stdout
    monkeypatch.chdir(tmp_path)
    Path(with_mirrors).rename("site.yaml")
    assert cli("render", str(file)).stdout == without


# ---- what a step is told, without building


TOLD = """\
apt=http://m.example
pypi=http://m.example:81/simple
npm=http://m.example/npm
conda=https://m.example/anaconda/
pytorch=http://whl.example/whl
mozilla=http://m.example/mozilla/apt/
http_proxy=http://proxy.example:3128
no_proxy=m.example,10.0.0.0/8
"""
SOURCES = """\
deb\thttp://a.example/debian\tbookworm main
deb http://security.example/debian-security bookworm-security main
deb [arch=amd64] https://a.example/ubuntu/ noble main
deb https://b.example/linux/debian bookworm stable
deb https://packages.mozilla.org/apt mozilla main
"""
STEP = """\
. /build/env.sh && cat /tmp/imagekit-build/sources.list && apt-config dump && env &&
    pytorch_index cu126 && conda_channel pkgs/main && conda_channel conda-forge
"""


def step(engine: Engine, base: str, files: dict[str, str], text: str = STEP) -> list[str]:
    """The lines that a step prints, in a container of a base with further files."""
    script = (assets.folder("templates") / "build" / "base" / "env.sh").read_text("utf-8")
    container = engine.client.containers.create(base, ["sh", "-c", text])
    try:
        container.put_archive("/", archive({"build/env.sh": script, **files}))
        container.start()
        assert container.wait()["StatusCode"] == 0, container.logs().decode()
        said: str = container.logs().decode()
    finally:
        container.remove(force=True)
    return said.splitlines()


def archive(files: dict[str, str]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    return packed.getvalue()


def test_a_step_is_told_of_all_that_the_place_has(engine: Engine, tiny_base: str) -> None:
    files = {"run/secrets/mirrors": TOLD, "etc/apt/sources.list": SOURCES}
    said = step(engine, tiny_base, files)
    assert said[:5] == [
        "deb\thttp://m.example/debian\tbookworm main",
        "deb http://m.example/debian-security bookworm-security main",
        "deb [arch=amd64] http://m.example/ubuntu/ noble main",
        "deb https://b.example/linux/debian bookworm stable",
        "deb http://m.example/mozilla/apt mozilla main",
    ]
    assert said[-3:] == [
        "http://whl.example/whl/cu126",
        "https://m.example/anaconda/pkgs/main",
        "https://m.example/anaconda/cloud/conda-forge",
    ]
    assert {
        'Acquire::http::Proxy "http://proxy.example:3128";',
        "PIP_INDEX_URL=http://m.example:81/simple",
        "PIP_TRUSTED_HOST=m.example:81",
        "whl.example",
        "npm_config_registry=http://m.example/npm",
        "CONDA_CHANNEL_ALIAS=https://m.example/anaconda/cloud",
        "http_proxy=http://proxy.example:3128",
        "HTTP_PROXY=http://proxy.example:3128",
        "no_proxy=m.example,10.0.0.0/8",
        "NO_PROXY=m.example,10.0.0.0/8",
    } <= set(said)
    assert not [line for line in said if line.lower().startswith("https_proxy")]


def test_a_step_is_told_of_nothing_where_there_is_nothing(engine: Engine, tiny_base: str) -> None:
    said = step(engine, tiny_base, {"etc/apt/sources.list": SOURCES})
    assert said[:5] == SOURCES.splitlines()
    assert said[-3:] == ["https://download.pytorch.org/whl/cu126", "pkgs/main", "conda-forge"]
    named = re.compile(
        r"(PIP_INDEX|PIP_TRUSTED|npm_config_reg|CONDA_|https?_proxy|.*::Proxy)", re.I
    )
    assert not [line for line in said if named.match(line)]


# Stands in for a Python with some pip: says its version, PyPI's name, or what it is told.
OLD_PIP = """\
. /build/env.sh && python() {
    case $* in
        *--version) echo "pip VERSION from /x" ;;
        -c*) echo https://new.example/simple ;;
        *) echo "$*" ;;
    esac
} && newer_pip python
"""


@pytest.mark.parametrize(
    ("version", "told", "index"),
    [
        ("9.0.1", "", " --index-url=https://new.example/simple"),
        ("9.0.1", TOLD, " --index-url=http://m.example:81/simple"),
        ("20.0.2", "", ""),
    ],
)
def test_a_pip_with_an_old_name_of_pypi_is_told_the_new_one(
    engine: Engine, tiny_base: str, version: str, told: str, index: str
) -> None:
    said = step(
        engine, tiny_base, {"run/secrets/mirrors": told}, OLD_PIP.replace("VERSION", version)
    )
    assert said == [f"-m pip install --quiet{index} pip>=20.3"]


@pytest.mark.parametrize("certificates", ["", "some"])
def test_only_a_base_without_certificates_takes_a_mirrors_word(
    engine: Engine, tiny_base: str, certificates: str
) -> None:
    files = {"etc/ssl/certs/ca-certificates.crt": certificates}
    said = step(engine, tiny_base, {"etc/apt/sources.list": SOURCES, **files})
    taken = 'Acquire::https::Verify-Peer "false";' in said
    assert taken is not bool(certificates)


def sources_form(engine: Engine, image: str) -> str:
    """The style of the apt sources that an image has."""
    script = (
        "cd /etc/apt; grep -qs '^deb ' sources.list && echo one-line; "
        "grep -qs '^URIs:' sources.list.d/*.sources && echo deb822; true"
    )
    said: bytes = engine.client.containers.run(image, ["sh", "-c", script], remove=True)
    return said.decode().strip()


def steps_that_ran(log: str) -> list[str]:
    """The Dockerfile's own steps that did not come from the cache."""
    events = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    names = {event["step"]: event["name"] for event in events if event["event"] == "StepStarted"}
    finished = [event for event in events if event["event"] == "StepFinished"]
    ran = [names[event["step"]] for event in finished if not event["cached"]]
    return [name for name in ran if re.match(r"\[\w+ \d+/\d+\] (RUN|COPY)", name)]
