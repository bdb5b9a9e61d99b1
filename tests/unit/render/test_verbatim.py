"""Whatever a profile says arrives verbatim, as one value, in its one place."""

from __future__ import annotations

import json
import random
import shlex
from collections.abc import Callable
from dataclasses import replace

import pytest

from imagekit import profile, render
from imagekit.errors import InputError
from imagekit.names import labels
from imagekit.plan.model import Plan, from_json
from imagekit.plan.resolve import resolve
from tests.unit.render.parsed import Shape, pairs, parse, shape

Write = Callable[..., str]
Planned = Callable[[str], Plan]

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


def quoted(text: str) -> str:
    """A text in YAML; JSON is YAML in double quotes."""
    return json.dumps(text, ensure_ascii=False)


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
