"""The parts of an image that no shipped profile of every day's tests has, really built.

Plans are made by hand, small: what is slow is what is fetched. The conda channel and
NVIDIA's package source are made here, of tiny packages; the real ones are out of reach.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from imagekit import site
from imagekit.checks import compute
from imagekit.engine.connection import Engine
from imagekit.errors import WorkFailedError
from imagekit.plan.model import Cuda, File, Framework, Plan, Python, Sshd
from tests.docker.packages import deb, need_packaging, row, served, sign
from tests.docker.support import Builder

pytestmark = pytest.mark.image

VENV = Python("3.11", "os", "/opt/venv", "", (), (), (), "", (), (), ())
CUDA = Cuda("12.9", "", "runtime", "wheels", "525.60.13", "5.0", "")
MIRROR = "https://mirror.example.edu"


@pytest.fixture(scope="module")
def everyday(builder: Builder, ssh_plan: Plan) -> str:
    """Jupyter Lab, root over ssh, packages, files, labels, health, groups, mirrors: one image."""
    program = b"#!/bin/sh\necho $((1 + 1))\n"
    file = File("/usr/local/bin/two", "0755", hashlib.sha256(program).hexdigest(), program)
    health = ssh_plan.health
    assert health is not None
    return builder.image(
        replace(
            ssh_plan,
            python=replace(VENV, jupyter=("jupyterlab",), pip=("humanize",), npm=("cowsay",)),
            jupyter=True,
            sshd=Sshd(password=True, root="password"),
            user=replace(ssh_plan.user, gid=1300, groups=("lab-x", "video")),
            labels=(("edu.example.course", "ml $101"),),
            files=(file,),
            health=replace(health, command='python -c "import humanize" && test "$(id -un)" = lab'),
            mirrors=(
                ("apt", MIRROR),
                ("conda", f"{MIRROR}/anaconda"),
                ("npm", f"{MIRROR}/npm"),
                ("pypi", f"{MIRROR}/simple"),
            ),
        )
    )


def test_jupyter_computes_and_mirrors_are_named_before_and_after_a_restart(
    builder: Builder, everyday: str
) -> None:
    data = builder.check(everyday, "sshd", "sshd-root", "jupyter", "mirrors", "restart")
    assert data["sshd-root"] == {"root": "password"}
    assert data["jupyter"]["kernel"] == "2|/opt/venv|zh_CN.UTF-8"


def test_own_packages_are_on_the_path(builder: Builder, everyday: str) -> None:
    said = builder.say(everyday, "sh", "-c", "cowsay moo; two; which python pip npm jupyter")
    assert "moo" in said
    assert said.splitlines()[-5:] == [
        "2",
        *(f"/opt/venv/bin/{name}" for name in ("python", "pip", "npm", "jupyter")),
    ]


def test_the_environment_belongs_to_the_user_s_group(builder: Builder, everyday: str) -> None:
    foreign = builder.say(
        everyday,
        *("find", "/opt/venv", "-not", "-path", "/opt/venv/etc*", "("),
        *("-not", "-group", "1300", "-o", "-not", "-type", "l", "-not", "-perm", "-g=w"),
        *("-o", "-type", "d", "-not", "-perm", "-g=s", ")"),
    )
    assert foreign == ""
    script = "mkdir /opt/venv/new && stat -c '%g %A' /opt/venv/new"
    assert builder.say(everyday, "sh", "-c", script) == "1300 drwxr-sr-x\n"


def test_the_account_has_its_groups_and_the_image_its_labels(
    engine: Engine, builder: Builder, everyday: str
) -> None:
    assert builder.say(everyday, "id", "-Gn").split() == ["lab", "video", "lab-x"]
    labels = engine.client.images.get(everyday).labels
    assert labels["edu.example.course"] == "ml $101"
    assert labels["dev.imagekit.python"] == "3.11"


def test_health_asks_the_profile_s_own_command(
    engine: Engine, builder: Builder, everyday: str
) -> None:
    settings = "USER_NAME=lab\nHEALTH_COMMAND='test -f /tmp/well'\n"
    probe = "/usr/lib/imagekit/health.d/profile"
    # What the start of the services would have written.
    account = "echo USER_HOME=/home/lab > /run/imagekit/account"
    script = (
        f'{account}; printf "$S" > /etc/imagekit/settings; '
        f"{probe}; echo $?; touch /tmp/well; {probe}; echo $?"
    )
    output = engine.client.containers.run(
        everyday, ["sh", "-c", script], environment={"S": settings}, remove=True
    )
    assert output.decode().split() == ["1", "0"]
    for user in ("root", "lab"):  # as the container's user, whom `docker run --user` names
        assert builder.say(everyday, "sh", "-c", f"{account}; {probe}", user=user) == ""


def test_a_framework_is_the_same_in_every_session(builder: Builder, ssh_plan: Plan) -> None:
    framework = Framework("jax", "0.5.3")
    python = replace(VENV, framework=("jax==0.5.3",))
    image = builder.image(
        replace(ssh_plan, profile="ik-framework", python=python, framework=framework)
    )
    assert builder.check(image, "framework")["framework"]["version"] == "0.5.3"
    # What computes on GPUs computes on the processor, too, which shows that it is right.
    outcome = compute.read(builder.say(image, *compute.command("python", "jax", "cpu")))
    assert outcome is not None
    assert [(one.name, one.trouble) for one in outcome.devices] == [("cpu", "")]


def test_a_server_of_a_profiles_own_packages_leaves_no_host_keys(
    builder: Builder, ssh_plan: Plan
) -> None:
    apt = (ssh_plan.apt[0], ("packages", ("openssh-server",)))
    image = builder.image(replace(ssh_plan, profile="ik-own-sshd", sshd=None, apt=apt))
    assert "ssh_host" not in builder.say(image, "ls", "/etc/ssh")


def test_cuda_of_wheels_is_found_by_every_process(builder: Builder, ssh_plan: Plan) -> None:
    python = replace(
        VENV, cuda=("nvidia-cuda-runtime-cu12==12.9.*", "nvidia-cuda-nvrtc-cu12==12.9.*")
    )
    image = builder.image(replace(ssh_plan, profile="ik-cuda", python=python, cuda=CUDA))
    # libcudart, libnvrtc and its built-ins, and since 12.8 both of the latter in two kinds
    assert builder.check(image, "cuda")["cuda"] == {"libraries": 5, "need_the_host": []}
    found = builder.say(image, "sh", "-c", "/sbin/ldconfig -p; env")
    assert "/opt/venv/lib/python3.11/site-packages/nvidia/cuda_runtime/lib" in found
    assert "LD_LIBRARY_PATH" not in found
    assert "NVIDIA_VISIBLE_DEVICES" not in found
    assert "NVIDIA_DRIVER_CAPABILITIES=compute,utility" in found


# ---- simulated: a conda channel and NVIDIA's package source, of tiny packages


@pytest.fixture(scope="module")
def place(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """An address that build steps reach, and the folder that lies there."""
    folder = tmp_path_factory.mktemp("served")
    with served(engine, folder) as url:
        yield url, folder


@pytest.fixture(scope="module")
def library(builder: Builder, ssh_plan: Plan) -> bytes:
    """Some shared library of the release, to stand in for CUDA's."""
    python = replace(VENV, cuda=("nvidia-cuda-runtime-cu12==12.9.*",))
    image = builder.image(replace(ssh_plan, profile="ik-library", python=python, cuda=CUDA))
    path = "/opt/venv/lib/python3.11/site-packages/nvidia/cuda_runtime/lib/libcudart.so.12"
    container = builder.engine.client.containers.create(image)
    try:
        pieces, _ = container.get_archive(path)
        with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as archive:
            file = archive.extractfile(Path(path).name)
            assert file is not None
            return file.read()
    finally:
        container.remove()


def conda_package(folder: Path, name: str, files: dict[str, bytes], *depends: str) -> None:
    """A package in the first format of conda's, and its row in the channel's index.

    https://docs.conda.io/projects/conda-build/en/stable/resources/package-spec.html
    """
    index = {
        "name": name,
        "version": VERSION,
        "build": "0",
        "build_number": 0,
        "subdir": "linux-64",
    }
    whole = {**index, "depends": list(depends)}
    paths = [
        {
            "_path": path,
            "path_type": "hardlink",
            "sha256": hashlib.sha256(data).hexdigest(),
            "size_in_bytes": len(data),
        }
        for path, data in files.items()
    ]
    members = {
        **files,
        "info/index.json": json.dumps(whole).encode(),
        "info/paths.json": json.dumps({"paths": paths, "paths_version": 1}).encode(),
        "info/files": "\n".join(files).encode(),
    }
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:bz2") as archive:
        for path, data in members.items():
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(data), 0o755 if path.startswith("bin/") else 0o644
            archive.addfile(member, io.BytesIO(data))
    for subdir in ("linux-64", "noarch"):
        file = folder / subdir / "repodata.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        empty = {"info": {"subdir": subdir}, "packages": {}, "packages.conda": {}}
        repodata = json.loads(file.read_text()) if file.exists() else empty
        if subdir == "linux-64":
            (file.parent / f"{name}-{VERSION}-0.tar.bz2").write_bytes(out.getvalue())
            digest = hashlib.sha256(out.getvalue()).hexdigest()
            row = {**whole, "sha256": digest, "size": len(out.getvalue())}
            repodata["packages"][f"{name}-{VERSION}-0.tar.bz2"] = row
        file.write_text(json.dumps(repodata))


# A version of this run's own, so that no step comes from the engine's cache: where the
# channel is does not change a step, and what is in it cannot.
VERSION = f"1.{int(time.time())}"
# Stands in for conda's own Python: the release's.
PYTHON = b'#!/bin/sh\nexec /usr/bin/python3 "$@"\n'
CONDA = b"""#!/bin/sh
printf '{"conda_version": "1.0", "root_prefix": "/opt/conda-command", '
printf '"envs_dirs": ["%s/.conda/envs"], "pkgs_dirs": ["%s/.conda/pkgs"]}' "$HOME" "$HOME"
"""


def test_an_environment_of_a_channel_simulated(
    builder: Builder, ssh_plan: Plan, place: tuple[str, Path], library: bytes
) -> None:
    url, folder = place
    main, forge = folder / "pkgs" / "main", folder / "cloud" / "conda-forge"
    conda_package(main, "python", {"bin/python": PYTHON}, "__glibc >=2.28")
    toolkit = {"lib/libcudart.so.12": library, "lib/libstdc++.so.6": b"not to be found"}
    conda_package(main, "cudatoolkit", toolkit, "__cuda >=10.0")
    shell = {"bin/conda": CONDA, "etc/profile.d/conda.sh": b"conda_function=there\n"}
    conda_package(forge, "conda", {**shell, "etc/fish/conf.d/conda.fish": b""}, "__unix")
    python = replace(
        VENV,
        version="3.7",
        source="conda",
        prefix="/opt/conda",
        channel="pkgs/main",
        specs=(f"cudatoolkit={VERSION}", f"python={VERSION}"),
    )
    cuda = replace(CUDA, version="10.0", source="conda")
    plan = replace(ssh_plan, profile="ik-conda", python=python, cuda=cuda, conda=True)
    image = builder.image(plan, replace(site.load(), conda=url))
    said = builder.say(
        image, "bash", "-ic", "echo $conda_function; which python conda; /sbin/ldconfig -p"
    )
    assert said.split()[:3] == ["there", "/opt/conda/bin/python", "/usr/local/bin/conda"]
    assert "/usr/local/lib/imagekit-cuda/libcudart.so" in said
    # Of the channel's libraries the system sees CUDA's alone.
    assert not any(f"{folder}/libstdc" in said for folder in ("imagekit-cuda", "/opt/conda/lib"))
    assert builder.check(image, "conda", "cuda")["conda"]["root_prefix"] == "/opt/conda-command"


def test_cuda_of_a_recipe_simulated(
    builder: Builder, ssh_plan: Plan, place: tuple[str, Path], library: bytes
) -> None:
    need_packaging()
    url, folder = place
    source = folder / "nvidia"
    apt_source(source, folder.parent / "gpg", {"cuda-cudart-10-0": library})
    extra = folder / "libcudnn7_7_amd64.deb"
    deb(extra, "libcudnn7", {"usr/share/libcudnn7": b"x"}, folder.parent / "extra")
    cuda = replace(
        CUDA,
        version="10.0",
        source="recipe",
        repository=f"deb {url}/nvidia ./",
        key=f"{url}/nvidia/key.asc",
        files=((f"{url}/{extra.name}", hashlib.sha256(extra.read_bytes()).hexdigest()),),
    )
    apt = (ssh_plan.apt[0], ("cuda", ("cuda-cudart-10-0=1.0",)), *ssh_plan.apt[1:])
    plan = replace(ssh_plan, profile="ik-recipe", cuda=cuda, apt=apt)
    image = builder.image(plan)
    assert builder.check(image, "cuda")["cuda"] == {"libraries": 1, "need_the_host": []}
    said = builder.say(image, "sh", "-c", "dpkg -l libcudnn7; cat /etc/apt/sources.list.d/*")
    assert "ii  libcudnn7" in said
    assert "nvidia" not in said
    wrong = replace(cuda, files=((cuda.files[0][0], "0" * 64),))
    with pytest.raises(WorkFailedError, match="ended with exit code 1"):
        builder.image(replace(plan, cuda=wrong))


def apt_source(folder: Path, home: Path, libraries: dict[str, bytes], version: str = "1.0") -> None:
    """A flat, signed package source, as NVIDIA's are (`deb URL ./`).

    https://wiki.debian.org/DebianRepository/Format#Flat_Repository_Format
    """
    folder.mkdir()
    rows = []
    for name, library in libraries.items():
        file = folder / f"{name}_{version}_amd64.deb"
        path = "usr/local/cuda-10.0/lib64/libcudart.so.12"
        control = deb(file, name, {path: library}, home.parent / f"{name}-{version}", version)
        rows.append(row(control, file, folder))
    (folder / "Packages").write_text(
        "\
".join(rows)
    )
    (folder / "key.asc").write_bytes(sign(folder, ("Packages",), home))
