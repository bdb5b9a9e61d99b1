"""Rendering: whatever a profile says arrives verbatim, as one value, in its one place.

The oracle is BuildKit's own parser (the package ``dockerfile``); what it leaves quoted is
unquoted here as BuildKit's shell lexer does (frontend/dockerfile/shell/lex.go).
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import dockerfile
import jinja2
import pytest

from imagekit import profile, render
from imagekit.context import Context, ContextFile
from imagekit.errors import InputError
from imagekit.names import labels
from imagekit.plan.model import Cuda, File, Framework, Health, Os, Plan, Python, from_json
from imagekit.plan.resolve import resolve

Write = Callable[..., str]
Planned = Callable[[str], Plan]
Parsed = tuple[dockerfile.Command, ...]
Shape = list[tuple[str, tuple[str, ...], int]]

# BuildKit refuses longer lines (bufio.MaxScanTokenSize).
LONGEST_LINE = 65_535

NAUGHTY = (
    '"',
    "'",
    "\\",
    "\\\\",
    "x\\",
    'x\\"',
    "$HOME",
    "${HOME}",
    "${X:-y}",
    "\\$HOME",
    "$$",
    "$(id)",
    "`id`",
    "a && id",
    "; id",
    "| id",
    "# comment",
    "#",
    "# syntax=docker/dockerfile:1",
    "{{ 7*7 }}",
    "{% raw %}",
    "{# x #}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "${{ x }}",
    "x PATH=/tmp",
    'x" PATH="/tmp',
    "x' PATH='/tmp",
    "x=y z=w",
    "= =",
    "<<EOF",
    "<<-'EOF' RUN id",
    "[1, 2]",
    '["a", "b"]',
    "--from=x",
    "--mount=type=bind",
    "中文，标点。",
    "naïve 🎉",
    "  leading and trailing  ",
    " ",
    "",
    "%s %(x)s {0} {x}",
    "~root",
    "* ? [a]",
    "!",
    "\\n \\t \\x41",
    "a\\ b",
    "\u00a0\u200b\ufeff",
    "FROM scratch",
    "ONBUILD RUN id",
)

# What no field of one line may hold, at load.
REFUSED = (
    "a\nRUN id",
    "a\r\nRUN id",
    "a\rb",
    "a\n",
    "\x00",
    "\x1b[31m",
    "\x85",
    "\u2028",
    "\u202e",
)


def parse(context: Context) -> Parsed:
    commands: Parsed = dockerfile.parse_string(context.dockerfile)
    return commands


def unquoted(text: str) -> str:
    """A word in double quotes as BuildKit understands it; a bare variable is a mistake."""
    assert text[0] == text[-1] == '"', text
    value, inner = "", iter(text[1:-1])
    for char in inner:
        assert char not in '"$', text
        if char == "\\":
            after = next(inner)
            value += after if after in '"$\\' else char + after
        else:
            value += char
    return value


def pairs(commands: Parsed, instruction: str) -> list[tuple[str, str]]:
    """Names and values of all ENV or LABEL instructions, in order."""
    words = [word for command in commands if command.cmd == instruction for word in command.value]
    return [(words[at], unquoted(words[at + 1])) for at in range(0, len(words), 2)]


def shape(commands: Parsed) -> Shape:
    """What could not differ between two profiles of the same features."""
    return [(command.cmd, command.flags, len(command.value)) for command in commands]


def quoted(text: str) -> str:
    """A text in YAML; JSON is YAML in double quotes."""
    return json.dumps(text, ensure_ascii=False)


# ---- verbatim, and one value


def test_naughty_values_of_variables_arrive_verbatim(planned: Planned) -> None:
    wanted = {f"V{number:02}": text for number, text in enumerate(NAUGHTY)}
    lines = "".join(f"  {name}: {quoted(text)}\n" for name, text in wanted.items())
    plan = planned(f"env:\n{lines}")
    commands = parse(render.render(plan))
    assert pairs(commands, "ENV") == [
        ("LANG", "en_US.UTF-8"),
        ("TZ", "Etc/UTC"),
        *sorted(wanted.items()),
    ]
    assert pairs(commands, "LABEL") == list(labels(plan))
    assert from_json(dict(pairs(commands, "LABEL"))["dev.imagekit.resolved"]) == plan


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Shape:
    """The shape of a Dockerfile without any choice of its own."""
    file = tmp_path_factory.mktemp("plain") / "x.yaml"
    file.write_text("profile: 1\n")
    return shape(parse(render.render(resolve(profile.load(str(file))))))


@pytest.mark.parametrize("text", NAUGHTY)
def test_a_naughty_description_arrives_verbatim(planned: Planned, plain: Shape, text: str) -> None:
    plan = planned(f"description: {quoted(text)}")
    context = render.render(plan)
    commands = parse(context)
    assert dict(pairs(commands, "LABEL"))["org.opencontainers.image.description"] == text
    assert pairs(commands, "LABEL") == list(labels(plan))
    assert shape(commands) == plain
    assert context.dockerfile.partition("\n")[0] == f"# x: {text}".replace("\u200b", " ").replace(
        "\ufeff", " "
    ).replace("\u00a0", " ")


@pytest.mark.parametrize("text", REFUSED)
@pytest.mark.parametrize("key", ["description", "env: {A", "user: {name", "locale: {timezone"])
def test_what_could_end_an_instruction_is_refused_at_load(
    planned: Planned, key: str, text: str
) -> None:
    end = "}" if "{" in key else ""
    with pytest.raises(InputError) as refused:
        planned(f"{key}: {quoted(text)}{end}")
    assert str(refused.value.messages[0]).startswith("x.yaml:2:")


FIELDS = (
    "base: {{os: {}}}",
    "desktop: {{session: {}}}",
    "desktop: {{geometry: {}}}",
    "locale: {{lang: {}}}",
    "locale: {{timezone: {}}}",
    "packages: {{apt: [{}]}}",
    "user: {{name: {}}}",
    "user: {{uid: {}}}",
    "env: {{{}: x}}",
    "extends: [{}]",
)


@pytest.mark.parametrize("field", FIELDS)
def test_fields_with_a_form_of_their_own_refuse_everything_naughty(
    write: Write, field: str
) -> None:
    for text in (*NAUGHTY, *REFUSED):
        with pytest.raises(InputError):
            resolve(profile.load(write("profile: 1\n" + field.format(quoted(text)))))


def test_random_values_arrive_verbatim(planned: Planned) -> None:
    chance = random.Random(1)  # noqa: S311
    pieces = [*"\"'\\$`#{}%=;&|<> \t~abcXYZ019中é", "${", "{{", "}}", "\\\\", '\\"', "EOF"]
    plan = planned("")
    for _ in range(6):
        env = tuple(
            (f"V{number:03}", "".join(chance.choices(pieces, k=chance.randrange(0, 24))))
            for number in range(200)
        )
        description = "".join(chance.choices(pieces, k=100))
        naughty = replace(plan, env=env, description=description)
        commands = parse(render.render(naughty))
        assert pairs(commands, "ENV")[2:] == list(env)
        assert pairs(commands, "LABEL") == list(labels(naughty))


def test_a_value_of_more_than_one_line_cannot_be_rendered(planned: Planned) -> None:
    for text in ("a\nb", "a\rb"):
        with pytest.raises(ValueError, match="more than one line"):
            render.render(replace(planned(""), env=(("A", text),)))


def test_names_that_reach_a_shell_are_words_there(planned: Planned) -> None:
    plan = planned("packages: {apt: [g++, htop, python3.11]}\nuser: {name: _x-1}")
    runs = [command.value[0] for command in parse(render.render(plan)) if command.cmd == "RUN"]
    assert [
        words for run in runs if (words := shlex.split(run))[-3:] == ["g++", "htop", "python3.11"]
    ]
    assert any("useradd" in run and shlex.split(run).count("_x-1") == 3 for run in runs)


def test_even_a_name_that_the_schema_would_refuse_stays_one_word(planned: Planned) -> None:
    name = "a b; id $(x)"
    plan = planned("user: {sudo: false}")
    plan = replace(plan, user=replace(plan.user, name=name), apt=(("base", (name,)), ("sshd", ())))
    context = render.render(plan)
    runs = [shlex.split(command.value[0]) for command in parse(context) if command.cmd == "RUN"]
    assert name in runs[0]
    settings = next(file.data for file in context.files if file.path == "settings").decode()
    assert f"USER_NAME={name}" in shlex.split(settings, comments=True)


@pytest.mark.parametrize(
    "text",
    [
        "env: {" + ", ".join(f"V{n}: {'x' * 4096}" for n in range(50)) + "}",
        "env: {" + ", ".join(f"V{n}: {'中' * 4096}" for n in range(10)) + "}",
        "packages: {apt: [" + ", ".join(f"p{n:03}{'x' * 124}" for n in range(500)) + "]}",
        f"description: {'中' * 200}",
    ],
    ids=["variables", "chinese variables", "packages", "description"],
)
def test_the_largest_profiles_are_refused_or_can_be_built(planned: Planned, text: str) -> None:
    try:
        plan = planned(text)
    except InputError:
        return
    context = render.render(plan)
    longest = max(len(line.encode()) for line in context.dockerfile.splitlines())
    assert longest <= LONGEST_LINE
    assert pairs(parse(context), "LABEL") == list(labels(plan))


# ---- the Dockerfile as a whole


VARIANTS = (
    "",
    "sshd: false",
    "desktop: true",
    "sshd: false\ndesktop: true",
    "desktop: true\nlocale: {lang: zh_CN.UTF-8}\npackages: {apt: [htop]}\nenv: {A: b}",
    "user: {sudo: false}\nlocale: {lang: C.UTF-8}",
    "packages: {apt: [htop, tmux]}",
)


@pytest.fixture(scope="module", params=VARIANTS, ids=lambda text: text.replace("\n", " ") or "-")
def variant(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Plan, Context]:
    """A plan of one of several sets of features, and its context."""
    file = tmp_path_factory.mktemp("variant") / "x.yaml"
    file.write_text(f"profile: 1\n{request.param}\n")
    plan = resolve(profile.load(str(file)))
    return plan, render.render(plan)


Variant = tuple[Plan, Context]


def test_a_dockerfile_is_well_formed(variant: Variant) -> None:
    plan, context = variant
    lines = context.dockerfile.splitlines()
    assert lines[0].startswith("# x: ")
    assert plan.digest in lines[2]
    assert context.dockerfile.endswith("\n")
    assert not any(line != line.rstrip() for line in lines[1:])
    assert "\n\n\n" not in context.dockerfile
    commands = parse(context)
    assert [command.cmd for command in commands][:2] == ["ARG", "FROM"]
    assert commands[0].value == ('BASE="debian:12-slim"',)
    assert commands[-1].cmd == "ENTRYPOINT"
    stages = [command.value[-1] for command in commands if command.cmd == "FROM"]
    assert stages[0] == "base"
    assert stages[-1] == "image"
    assert len(stages) == len(set(stages))
    exposed = {port for command in commands if command.cmd == "EXPOSE" for port in command.value}
    assert exposed == {port for port, there in (("22", plan.sshd), ("80", plan.desktop)) if there}


def test_a_dockerfile_keeps_to_the_oldest_dialect(variant: Variant) -> None:
    _, context = variant
    assert "<<" not in context.dockerfile
    for command in parse(context):
        assert command.cmd != "ADD"
        assert not any(
            flag.startswith(("--link", "--security", "--network")) for flag in command.flags
        )
        mounts = [flag for flag in command.flags if flag.startswith("--mount")]
        assert all("from=" not in mount for mount in mounts)


def test_a_dockerfile_has_none_of_the_tutorials_sins(variant: Variant) -> None:
    _, context = variant
    for sin in (
        "chpasswd",
        "PermitRootLogin yes",
        "VNC_PASSWORD",
        "--allow-unauthenticated",
        "apt-key",
        ":latest",
        "ssh-keygen -A",
        "trusted=yes",
        "curl",
    ):
        assert sin not in context.dockerfile


def test_every_file_is_used_and_every_used_file_is_there(variant: Variant) -> None:
    _, context = variant
    paths = [file.path for file in context.files]
    assert paths == sorted(set(paths))
    copied = {
        source.rstrip("/")
        for command in parse(context)
        if command.cmd == "COPY" and not any(flag.startswith("--from") for flag in command.flags)
        for source in command.value[:-1]
    }
    used = copied | {"Dockerfile", "build"}
    belongs = {(path, name) for path in paths for name in used if f"{path}/".startswith(f"{name}/")}
    assert {path for path, _ in belongs} == set(paths)
    assert {name for _, name in belongs} == used


def test_profiles_share_all_steps_before_what_differs(planned: Planned) -> None:
    """BuildKit's key of a step is its text and the content of the folders that it mounts."""

    def keys(text: str) -> list[tuple[object, ...]]:
        context = render.render(planned(text))
        commands = parse(context)
        first = [command.value for command in commands].index(("base", "AS", "image")) + 1
        found: list[tuple[object, ...]] = []
        for command in commands[first:]:
            if command.cmd != "RUN":
                break
            folders = re.findall(r"source=([^,]+),", " ".join(command.flags))
            files = [file for file in context.files if file.path.startswith(tuple(folders))]
            found.append((command.value, command.flags, files))
        return found

    shared = "extends: [_desktop-zh]\nbase: {os: debian12}\n"
    plain = keys(shared)
    with_framework = keys(f"{shared}framework: {{name: tensorflow}}\ncuda: false\njupyter: true\n")
    assert len(with_framework) == 3  # sshd, the desktop, its language
    assert plain[:3] == with_framework


def test_a_variable_of_the_place_changes_nothing(
    planned: Planned, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = render.render(planned(""))
    for name in ("HTTP_PROXY", "http_proxy", "PIP_INDEX_URL", "LANG", "TZ", "SOURCE_DATE_EPOCH"):
        monkeypatch.setenv(name, "http://elsewhere.example")
    assert render.render(planned("")) == before


def test_equal_plans_give_equal_bytes(planned: Planned) -> None:
    first, second = render.render(planned("desktop: true")), render.render(planned("desktop: true"))
    assert first.tar() == second.tar()


def test_settings_are_what_a_shell_reads(planned: Planned) -> None:
    context = render.render(planned("desktop: {geometry: 800x600}\nsshd: {password: false}"))
    settings = next(file.data for file in context.files if file.path == "settings").decode()
    assert shlex.split(settings, comments=True) == [
        "USER_NAME=lab",
        "SSHD_PASSWORD=false",
        "SSHD_ROOT=refused",
        "DESKTOP_SESSION=xfce",
        "DESKTOP_GEOMETRY=800x600",
        "DESKTOP_DEPTH=24",
        "DESKTOP_VNC=off",
        "DESKTOP_JUPYTER=false",
        "INPUT_METHOD=",
    ]


# ---- the stack, by plans made by hand: what a resolver may put into one

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


def runs(context: Context) -> list[list[str]]:
    """The words of all RUN instructions."""
    return [shlex.split(cmd.value[0]) for cmd in parse(context) if cmd.cmd == "RUN"]


def after(context: Context, word: str) -> list[str]:
    """What follows a word in the only RUN that has it."""
    (run,) = (words for words in runs(context) if word in words)
    return run[run.index(word) + 1 :]


def env(context: Context) -> dict[str, str]:
    """All variables but PATH, which is the only one that refers to another."""
    commands = [cmd for cmd in parse(context) if cmd.cmd == "ENV" and cmd.value[0] != "PATH"]
    return dict(pairs(tuple(commands), "ENV"))


def path_line(context: Context) -> str:
    lines = context.dockerfile.splitlines()
    return next((line for line in lines if line.startswith("ENV PATH=")), "")


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


# ---- what templates can do


@pytest.fixture
def template(tmp_path: Path) -> Callable[[str], str]:
    """Render a template's text with the environment of the shipped templates."""

    def rendered(text: str) -> str:
        environment = render._environment(tmp_path)
        return environment.from_string(text).render({"value": "a b", "plan": object()})

    return rendered


def test_an_undefined_name_is_an_error(template: Callable[[str], str]) -> None:
    with pytest.raises(jinja2.UndefinedError, match="vlaue"):
        template("{{ vlaue | sh }}")


@pytest.mark.parametrize(
    "text",
    [
        "{{ plan.__class__.__mro__ | sh }}",
        "{{ ''.__class__ | sh }}",
        "{{ cycler.__init__.__globals__ | sh }}",
        "{{ [].append(1) | sh }}",
        "{{ value | replace('a', 'b') }}",
        "{{ value | attr('upper') }}",
        "{% include '/etc/passwd' %}",
        "{% include '../secret' %}",
    ],
)
def test_a_template_cannot_leave_its_box(template: Callable[[str], str], text: str) -> None:
    with pytest.raises((jinja2.TemplateError, TypeError)):
        template(text)


@pytest.mark.parametrize(
    ("filtered", "shown"),
    [
        ("value | sh", "'a b'"),
        ("value | json", '"a b"'),
        ("value | dockerfile", '"a b"'),
        ("'a\nb' | comment", "a b"),
    ],
)
def test_filters(template: Callable[[str], str], filtered: str, shown: str) -> None:
    assert template(f"{{{{ {filtered} }}}}") == shown


# ---- locks


def test_questions_are_asked_in_the_image_with_the_build_s_own_scripts(planned: Planned) -> None:
    plan = planned("framework: pytorch")
    assert plan.python is not None
    plan = replace(plan, python=replace(plan.python, version="3.11", index="cu128"))
    wanted = (ContextFile("build/lock/apt", b"tini 1 amd64\n"),)
    context = render.render_questions(plan, wanted)
    paths = {file.path for file in context.files}
    assert {
        "build/base/env.sh",
        "build/python/python.sh",
        "build/lock/lock.sh",
        "build/lock/apt",
    } <= paths
    assert not {path for path in paths if path.startswith("rootfs/")}
    # The environment's wheels come from PyTorch's index, and their checksums do.
    assert "lock_python /opt/venv 3.11 cu128 /imagekit-lock" in context.dockerfile


def test_without_an_environment_nothing_is_asked_of_python(planned: Planned) -> None:
    plan = replace(planned(""), python=None)
    assert "lock_python" not in render.render_questions(plan, ()).dockerfile


def test_a_frozen_context_differs_by_its_scripts_alone(planned: Planned) -> None:
    plan = planned("")
    scripts = render.frozen_scripts()
    assert {file.path for file in scripts} == {
        "build/base/frozen/apt.sh",
        "build/python/frozen/python.sh",
    }
    assert not {*scripts} & {*render.render(plan).files}
