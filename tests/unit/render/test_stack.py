"""The stack, by plans made by hand: what a resolver may put into one."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from imagekit import render
from imagekit.context import Context, ContextFile
from imagekit.errors import InputError
from imagekit.plan.model import Cuda, File, Framework, Health, Os, Plan, Python
from tests.unit.render.parsed import after, env, pairs, parse, path_line, runs

Planned = Callable[[str], Plan]

VENV = Python("3.11", "os", "/opt/venv", "", (), (), (), "", (), (), ())
CUDA = Cuda("12.8", "9.10", "runtime", "wheels", "525.60.13", "5.0", "")
RECIPE = replace(
    CUDA,
    version="10.0",
    source="recipe",
    repository="deb https://nvidia.example/ubuntu1804/x86_64 /",
    key="https://nvidia.example/ubuntu1804/x86_64/key.pub",
    files=(("https://nvidia.example/libcudnn7_7.6.5+cuda10.0_amd64.deb", "a" * 64),),
)
Made = Callable[..., Context]


@pytest.fixture
def made(planned: Planned) -> Made:
    """The context of a small plan with changes; ``apt`` adds layers."""

    def render_it(apt: tuple[tuple[str, tuple[str, ...]], ...] = (), **changes: Any) -> Context:
        plan = planned("")
        return render.render(replace(plan, apt=(*plan.apt, *apt), **changes))

    return render_it


def test_an_environment_is_a_stage_that_is_copied(made: Made) -> None:
    context = made(python=VENV)
    stages = [command.value[-1] for command in parse(context) if command.cmd == "FROM"]
    assert stages == ["base", "python", "image"]
    assert after(context, "environment_venv") == ["/opt/venv", "1000", "python3.11"]
    copies = [cmd for cmd in parse(context) if cmd.cmd == "COPY" and cmd.value[0] == "/opt/venv"]
    assert [copy.flags for copy in copies] == [("--from=python", "--chown=0:1000")]
    assert path_line(context) == "ENV PATH=/opt/venv/bin:$PATH"
    assert "LD_LIBRARY_PATH" not in context.dockerfile
    assert "VIRTUAL_ENV" not in context.dockerfile


def test_requirements_are_steps_of_their_own_and_one_word_each(made: Made) -> None:
    python = replace(
        VENV,
        cuda=("nvidia-cuda-nvcc-cu12==12.8.*",),
        framework=("tensorflow[and-cuda]==2.20.0", "protobuf<6"),
        jupyter=("jupyterlab",),
        pip=("x; id",),
        npm=("@scope/name@1",),
    )
    context = made(
        python=python, framework=Framework("tensorflow", "2.20.0"), jupyter=True, cuda=CUDA
    )
    held = ["nvidia-cuda-nvcc-cu12==12.8.*", "tensorflow[and-cuda]==2.20.0", "protobuf<6"]
    pip = [
        run[run.index("environment_pip") + 2 :] for run in runs(context) if "environment_pip" in run
    ]
    assert pip == [held[:1], held[1:], [*held, "jupyterlab"], [*held, "x; id"]]
    assert after(context, "environment_npm") == ["/opt/venv", "@scope/name@1"]


def test_pytorch_comes_from_its_own_index(made: Made) -> None:
    python = replace(VENV, framework=("torch==2.10.0",), index="cu128")
    context = made(python=python, framework=Framework("pytorch", "2.10.0"), cuda=CUDA)
    assert after(context, "environment_torch") == ["/opt/venv", "cu128", "torch==2.10.0"]


def test_an_environment_of_a_channel(made: Made) -> None:
    specs = ("cudatoolkit=10.0.130", "pip", "python=3.7")
    python = replace(
        VENV, source="conda", prefix="/opt/conda", channel="pkgs/main", specs=specs, version="3.7"
    )
    cuda = replace(CUDA, version="10.0", source="conda")
    context = made(python=python, cuda=cuda, conda=True)
    (environment, command) = (
        run[run.index("environment_conda") + 1 :]
        for run in runs(context)
        if "environment_conda" in run
    )
    assert environment == ["/opt/conda", "1000", "pkgs/main", "10.0", *specs]
    # The command cannot have its usual place, which the environment has taken.
    assert command == ["/opt/conda-command", "1000", "conda-forge", "", "conda"]
    assert after(context, "cuda_conda") == ["/opt/conda"]
    assert path_line(context) == "ENV PATH=/opt/conda/bin:$PATH"


def test_the_interpreter_is_installed_once_and_only_when_the_base_lacks_it(made: Made) -> None:
    assert "python3.7" not in made(python=VENV).dockerfile
    python = replace(VENV, version="3.7")
    names = ("python3", "python3.7", "python3.7-venv")
    context = made(python=python, apt=(("python", names),))
    before, _, _ = context.dockerfile.partition("FROM base AS python")
    assert "apt_install \\\n        python3.7 \\\n        python3.7-venv\n" in before


def test_a_compiler_of_wheels_is_where_compilers_are(made: Made) -> None:
    context = made(python=VENV, cuda=replace(CUDA, version="13.0", flavour="devel"))
    assert after(context, "cuda_wheels") == ["/opt/venv", "&&", "cuda_toolkit", "/opt/venv"]
    assert path_line(context) == "ENV PATH=/opt/venv/bin:/usr/local/cuda/bin:$PATH"
    assert env(context)["CUDA_HOME"] == "/usr/local/cuda"


def test_a_base_image_with_cuda_asks_for_no_gpu_by_itself(made: Made) -> None:
    cuda = replace(CUDA, source="image")
    context = made(cuda=cuda, framework=Framework("tensorflow", "1.15.5"))
    assert env(context)["NVIDIA_VISIBLE_DEVICES"] == "void"
    assert env(context)["NVIDIA_DRIVER_CAPABILITIES"] == "compute,utility"
    # Before anything else that apt could fail at.
    assert "/etc/apt/sources.list.d/cuda.list" in runs(context)[0]
    assert "cuda.sh" not in context.dockerfile
    assert "CUDA_HOME" not in env(context)


def test_a_desktop_gets_the_driver_s_graphics(planned: Planned) -> None:
    plan = replace(planned("desktop: true"), python=VENV, cuda=CUDA)
    found = env(render.render(plan))["NVIDIA_DRIVER_CAPABILITIES"]
    assert found == "compute,utility,graphics,video,display"
    assert "NVIDIA" not in render.render(planned("desktop: true")).dockerfile.partition("LABEL")[0]


def test_a_recipe_is_in_the_line_of_apt_steps(made: Made) -> None:
    context = made(cuda=RECIPE, apt=(("cuda", ("cuda-cudart-10-0=10.0.130-1",)),))
    assert after(context, "cuda_repository")[:2] == [RECIPE.repository, RECIPE.key]
    assert after(context, "cuda_file")[:2] == list(RECIPE.files[0])
    words = after(context, "cuda_file")
    assert words[words.index("apt_install") + 1 :] == [
        "cuda-cudart-10-0=10.0.130-1",
        "/tmp/libcudnn7_7.6.5+cuda10.0_amd64.deb",  # noqa: S108
        "&&",
        "cuda_apt",
    ]


def test_mirrors_come_after_everything_that_is_fetched(made: Made) -> None:
    mirrors = (("apt", "https://m.example"), ("pypi", "https://m.example/simple?a='b'"))
    context = made(mirrors=mirrors, python=replace(VENV, pip=("six",)))
    assert runs(context)[-1][-2:] == [f"{kind}={url}" for kind, url in mirrors]
    assert not any(mount for cmd in parse(context)[-1:] for mount in cmd.flags)
    assert "mirrors.sh" not in made().dockerfile


def test_files_are_copied_with_their_modes(made: Made) -> None:
    data = b"\x00\xff$HOME"
    file = File("/etc/a b", "0640", hashlib.sha256(data).hexdigest(), data)
    context = made(files=(replace(file, path="/etc/x-1"),))
    assert ContextFile("files/etc/x-1", data) in context.files
    assert "COPY --chmod=0640 files/etc/x-1 /etc/x-1" in context.dockerfile.splitlines()


def test_health_is_asked_as_the_plan_says(made: Made) -> None:
    health = Health("30s", "9s", "2m", 5, "")
    assert (
        "HEALTHCHECK --interval=30s --timeout=9s --start-period=2m --retries=5 "
        'CMD ["/usr/lib/imagekit/health"]'
    ) in made(health=health).dockerfile.replace(" \\\n   ", "")
    without = made(health=None)
    assert "HEALTHCHECK NONE" in without.dockerfile.splitlines()
    own = made(health=replace(health, command="test -f '/x y'"))
    settings = next(file.data for file in own.files if file.path == "settings").decode()
    assert "HEALTH_COMMAND=test -f '/x y'" in shlex.split(settings, comments=True)
    assert "rootfs/healthcheck/" in own.dockerfile
    assert "rootfs/healthcheck/" not in without.dockerfile


def test_the_account_is_the_plan_s(planned: Planned) -> None:
    plan = planned("")
    user = replace(plan.user, uid=1200, gid=1300, groups=("render", "video"))
    user = replace(user, **{"shell": "zsh"})
    context = render.render(replace(plan, user=user, apt=(*plan.apt, ("user", ("zsh",)))))
    words = after(context, "useradd")
    assert words[:8] == [
        *("--uid", "1200", "--gid", "1300"),
        *("--groups", "render,video", "--shell", "/usr/bin/zsh"),
    ]
    assert "groupadd --system --force render" in context.dockerfile
    assert [run for run in runs(context) if run[-1] == "zsh"]


def test_images_of_ubuntu_lose_the_account_that_they_come_with(planned: Planned) -> None:
    plan = planned("")
    assert "userdel" not in render.render(plan).dockerfile
    ubuntu = replace(plan, os=Os("ubuntu24.04", "ubuntu:24.04", "noble"))
    assert "userdel --remove ubuntu" in render.render(ubuntu).dockerfile


def test_labels_say_what_runs_on_which_hardware(made: Made) -> None:
    cuda = replace(CUDA, cc_max="9.0")
    labelled = dict(
        pairs(
            parse(
                made(python=VENV, cuda=cuda, framework=Framework("jax", "1"), labels=(("a", "$"),))
            ),
            "LABEL",
        )
    )
    wanted = {
        "dev.imagekit.cuda": "12.8",
        "dev.imagekit.driver.min": "525.60.13",
        "dev.imagekit.compute.min": "5.0",
        "dev.imagekit.compute.max": "9.0",
        "dev.imagekit.framework": "jax 1",
        "dev.imagekit.python": "3.11",
        "a": "$",
    }
    assert {name: labelled[name] for name in wanted} == wanted


IMPOSSIBLE = {
    "Jupyter needs an environment": {"jupyter": True},
    "a framework needs an environment": {"framework": Framework("jax", "1")},
    "there are requirements of a framework": {"python": replace(VENV, framework=("jax",))},
    "CUDA's libraries need an environment": {"cuda": CUDA},
    "needs a Python from there": {"cuda": replace(CUDA, source="conda"), "python": VENV},
    "Ubuntu 18.04 has 3.6": {"os": Os("ubuntu18.04", "x", "bionic"), "conda": True},
    "the content of /etc/x is missing": {"files": (File("/etc/x", "0644", "0" * 64),)},
}


@pytest.mark.parametrize("why", IMPOSSIBLE)
def test_what_cannot_be_written_is_refused_and_not_left_out(made: Made, why: str) -> None:
    with pytest.raises(InputError, match=why):
        made(**IMPOSSIBLE[why])
