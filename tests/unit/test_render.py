"""Rendering: whatever a profile says arrives verbatim, as one value, in its one place.

The oracle is BuildKit's own parser (the package ``dockerfile``); what it leaves quoted is
unquoted here as BuildKit's shell lexer does (frontend/dockerfile/shell/lex.go).
"""

from __future__ import annotations

import json
import random
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import dockerfile
import jinja2
import pytest

from imagekit import profile, render
from imagekit.context import Context
from imagekit.errors import InputError
from imagekit.names import labels
from imagekit.plan.model import Plan, from_json
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
        "DESKTOP_SESSION=xfce",
        "DESKTOP_GEOMETRY=800x600",
    ]


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
        ("'zh_CN.UTF-8' | lang", "zh_CN"),
        ("'a\nb' | comment", "a b"),
    ],
)
def test_filters(template: Callable[[str], str], filtered: str, shown: str) -> None:
    assert template(f"{{{{ {filtered} }}}}") == shown
