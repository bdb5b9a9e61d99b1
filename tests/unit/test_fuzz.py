"""Whatever a profile or a site file holds: messages, at once, and nothing else.

A few hundred generated files in the everyday suite, the same ones each time; as many as
``IMAGEKIT_FUZZ`` says, and others each time, where it is set.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import pytest
from hypothesis import HealthCheck, configuration, example, given, settings
from hypothesis import strategies as st

from imagekit import assets, pem, profile, site, validation
from imagekit.document import MAX_BYTES
from imagekit.errors import InputError, Message
from imagekit.plan.resolve import resolve

# Hypothesis keeps tables of its own in a folder that would otherwise be the working one.
configuration.set_hypothesis_home_dir(Path(tempfile.gettempdir()) / "imagekit-hypothesis")

LONG = "IMAGEKIT_FUZZ" in os.environ
EXAMPLES = int(os.environ.get("IMAGEKIT_FUZZ", "300"))
SECONDS = 0.5
KINDS = ("profile", "site")

fuzzed = settings(
    max_examples=max(EXAMPLES // 5, 1),
    deadline=None,  # time is measured below, without what generating costs
    derandomize=not LONG,
    database=None,
    suppress_health_check=list(HealthCheck),
)


# ---- nothing is written, nothing is contacted


FORBIDDEN = (
    "socket.",
    "subprocess.",
    "shutil.",
    "tempfile.",
    *(f"os.{name}" for name in ("system", "exec", "fork", "posix_spawn", "mkdir", "remove")),
    *(f"os.{name}" for name in ("rename", "rmdir", "link", "symlink", "truncate", "chmod", "kill")),
)
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


class Watch:
    """What the interpreter itself says that is done, while it is asked (PEP 578)."""

    def __init__(self) -> None:
        self.on = False
        self.seen: list[tuple[str, Any]] = []

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.on:
            return
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING
        if writes or event.startswith(FORBIDDEN):
            self.seen.append((event, arguments))


WATCH = Watch()
sys.addaudithook(WATCH)  # cannot be removed; it does nothing while it is off


@contextmanager
def watched() -> Iterator[None]:
    """Nothing below contacts or writes anything."""
    WATCH.seen.clear()
    WATCH.on = True
    try:
        yield
    finally:
        WATCH.on = False
    assert WATCH.seen == []


def refused(work: Callable[[], object]) -> tuple[Message, ...]:
    """What a piece of work is refused with: at once, and without anything else happening."""
    took = 0.0
    for _ in range(3):  # a slow input is slow each time, a busy machine is not
        messages: tuple[Message, ...] = ()
        began = time.process_time()
        with watched():
            try:
                work()
            except InputError as error:
                messages = error.messages
        took = time.process_time() - began
        if took < SECONDS:
            return messages
    raise AssertionError(f"took {took} s")


def test_the_watch_sees_what_it_is_there_for(tmp_path: Path) -> None:
    for forbidden in (
        lambda: (tmp_path / "x").write_text("x"),
        (tmp_path / "y").mkdir,
        lambda: __import__("socket").socket().close(),
        lambda: __import__("subprocess").run(["true"], check=True),
    ):
        with pytest.raises(AssertionError), watched():
            forbidden()


# ---- the property


@pytest.fixture(scope="module", autouse=True)
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A working folder without configuration, with everything imported that is imported late."""
    folder = tmp_path_factory.mktemp("fuzz")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
        patch.setattr(pem, "_HOST_FOLDERS", ())
        patch.setattr(sys, "dont_write_bytecode", True)
        for text, kind in ((b"profile: 1\nx: 1\ncuda: 12", "profile"), (b"site: 1\nx: 1", "site")):
            path = folder / "x.yaml"
            path.write_bytes(text)
            with pytest.raises(InputError):
                read(kind)
        yield folder


def read(kind: str) -> None:
    if kind == "profile":
        resolve(profile.load("x.yaml"))
    else:
        site.load("x.yaml")


def holds(data: bytes, kind: str) -> None:
    """The property: the file is read, or refused with located, readable messages."""
    Path("x.yaml").write_bytes(data)
    messages = refused(lambda: read(kind))
    assert len(messages) == len(set(messages))
    for message in messages:
        assert message.where.startswith(("x.yaml", str(assets.folder("profiles")))), message
        assert message.what
        assert f"{message.where} {message.what} {message.hint}".isprintable(), message


# ---- what is tried


ODD = (
    *(
        "",
        "~",
        "null",
        "true",
        "false",
        "yes",
        "0",
        "1",
        "-1",
        "1.0",
        "1e9",
        ".nan",
        "0x10",
        "22:22",
    ),
    *("[]", "{}", "[[]]", "[{}]", "{a: b}", "[a, a]", "{'': ''}", "'", "''", '""', '" "', "a b"),
    *("[~]", "{a: ~}", "'a\nb'", '"\\n"', '"\\e"', '"\\u2028"', "中文", "'٣'", "../../x", "$(id)"),
    *("9" * 400, "x" * 9_000, "a/" * 500, "-" * 500, "http://a:b@c/", "@a", "*a", "&a b", "!a b"),
    *("99999999999999999999", "3.10", "12.2.1", "tuna", "none", "root", "PATH", "_base", "x"),
)
ODD_KEYS = (
    "",
    "x",
    "a b",
    "'a.b'",
    "~",
    "1",
    "<<",
    "'\n'",
    "profile",
    "extends",
    "中",
    "[a]",
    "? a\n",
)


def spoiled(word: str, place: int) -> str:
    """A word with a typing mistake."""
    at = place % len(word)
    return (word[:at] + word[at + 1 :], word[:at] + word[at] + word[at:], word.upper())[place % 3]


@st.composite
def values(draw: st.DrawFn, rule: dict[str, Any], schema: dict[str, Any], depth: int = 0) -> str:
    """YAML text for a rule of a schema; now and then something else."""
    if depth > 6 or draw(st.integers(0, 9)) == 0:
        return draw(st.sampled_from(ODD))
    while "$ref" in rule:
        rule = schema["$defs"][rule["$ref"].removeprefix("#/$defs/")]
    if "anyOf" in rule:
        rule = draw(st.sampled_from(rule["anyOf"]))
    if rule.get("type") == "object":
        return draw(mappings(rule, schema, depth))
    if rule.get("type") == "array":
        items = draw(st.lists(values(rule["items"], schema, depth + 1), max_size=4))
        return f"[{', '.join(items)}]"
    fitting = [str(value) for value in (*rule.get("examples", ()), *rule.get("enum", ()))]
    return draw(st.sampled_from([*fitting, "true", "1000"]))


@st.composite
def mappings(draw: st.DrawFn, rule: dict[str, Any], schema: dict[str, Any], depth: int) -> str:
    known = list(rule.get("properties", {})) or ["edu.example.a", "B", "docker.io"]
    keys = draw(st.lists(st.sampled_from(known), max_size=5, unique=depth > 0))
    if depth == 0:
        keys = ["profile" if "profile" in known else "site", *keys]
    lines = []
    for key in keys:
        below = rule.get("properties", {}).get(key) or rule["additionalProperties"]
        text = draw(values(below, schema, depth + 1))
        odd = draw(st.integers(0, 40))
        name = spoiled(key, odd) if odd < 3 else ODD_KEYS[odd - 3] if odd < 6 else key
        lines.append(f"{name}: {text}")
    return "\n".join(lines) if depth == 0 else f"{{{', '.join(lines)}}}"


STRUCTURED = {kind: mappings(validation.schema(kind), validation.schema(kind), 0) for kind in KINDS}


@fuzzed
@given(kind=st.sampled_from(KINDS), data=st.data())
def test_the_schemas_keys_with_right_and_wrong_values(kind: str, data: st.DataObject) -> None:
    holds(data.draw(STRUCTURED[kind]).encode(), kind)


@fuzzed
@given(kind=st.sampled_from(KINDS), start=st.booleans(), soup=st.binary(max_size=400))
def test_bytes(kind: str, start: bool, soup: bytes) -> None:
    holds((f"{kind}: 1\n".encode() if start else b"") + soup, kind)


PIECES = (
    *"abc:-?[]{}&*!|>'\"%@`#,~<=.1 \n",
    *(
        "- ",
        ": ",
        "? ",
        "\n  ",
        "\n    ",
        " #",
        "---\n",
        "...\n",
        "%YAML 1.2\n",
        "\t",
        "\r",
        "\r\n",
    ),
    *(
        "\ufeff",
        "\x85",
        "\u2028",
        "\u200b",
        "\u202e",
        "\ufffe",
        "\U0001f600",
        "中",
        "\x00",
        "\\x41",
    ),
    *(
        "|-\n  x",
        ">+2\n",
        "<<: ",
        "*a",
        "&a ",
        "!!str ",
        "!<x> ",
        "profile: 1\n",
        "user: ",
        "env:\n",
    ),
)


@fuzzed
@given(kind=st.sampled_from(KINDS), pieces=st.lists(st.sampled_from(PIECES), max_size=60))
def test_the_signs_of_yaml(kind: str, pieces: list[str]) -> None:
    holds((f"{kind}: 1\n" + "".join(pieces)).encode(), kind)


SHIPPED = sorted(path.read_text("utf-8") for path in assets.folder("profiles").glob("*.yaml"))
CHANGES: tuple[Callable[[str, int, int, str], str], ...] = (
    lambda text, a, b, _: text[:a] + text[b:],
    lambda text, a, b, _: text[:b] + text[a:b] + text[b:],
    lambda text, a, b, piece: text[:a] + piece + text[b:],
    lambda text, a, _, piece: text[:a] + piece + text[a:],
    lambda text, a, _, __: text[:a] + "\n" + text[a:],
    lambda text, a, b, _: text[:a] + text[a:b].replace("  ", " ") + text[b:],
    lambda text, a, b, _: text[:a] + text[a:b].swapcase() + text[b:],
    lambda text, a, b, _: "\n".join(sorted(text[a:b].split("\n"))).join((text[:a], text[b:])),
)
mutations = st.tuples(
    st.sampled_from(CHANGES), st.integers(0, 700), st.integers(0, 40), st.sampled_from(PIECES + ODD)
)


@fuzzed
@given(text=st.sampled_from(SHIPPED), changes=st.lists(mutations, min_size=1, max_size=6))
def test_the_shipped_profiles_with_something_changed(text: str, changes: list[Any]) -> None:
    for change, start, length, piece in changes:
        begin = start % (len(text) + 1)
        text = change(text, begin, min(begin + length, len(text)), piece)
    holds(text.encode(), "profile")


scalars = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@fuzzed
@given(path=st.sampled_from(["a", "b.c", "user.name", "env.A", "packages.apt", ""]), text=scalars)
@example(path="description", text="x" * MAX_BYTES)
def test_overrides(path: str, text: str) -> None:
    Path("x.yaml").write_text("profile: 1\n")
    for message in refused(lambda: resolve(profile.load("x.yaml", (f"{path}={text}",)))):
        assert f"{message.where} {message.what} {message.hint}".isprintable(), message


# ---- YAML's own corners


SNIPPETS = (
    # block scalars: indicators, indentation, chomping
    *("a: |\n x\n", "a: >\n x\n y\n", "a: |-\n x\n\n", "a: |+\n x\n\n\n", "a: |2\n   x\n"),
    *("a: |1-\n x\n", "a: |0\n x\n", "a: |9\n x", "a: |-+\n x", "a: |\n\tx\n", "a: |\n  x\n y\n"),
    *("a: >\n\n\n", "|\nx", ">", "a: | # c\n x\n", "a: |#c\n x\n", "a: >\n  x\n   y\n  z\n"),
    *("- |\n a\n- >\n b\n", "a: |\n---\n", "a: |"),
    # plain scalars and flow scalars: folding, escapes, ends
    *("a: x\n  y\n  z\n", "a: x #y\n", "a: x#y\n", "a: -x\n", "a: :x\n", "a: ?x\n", "a: x:y\n"),
    *("a: x, y\n", "a: 'x\n\n  y'\n", "a: 'it''s'\n", "a: '\n", "a: \"x\\\n  y\"\n"),
    *('a: "\\x41\\u0041\\U00000041"\n', 'a: "\\/\\_\\N\\L\\P"\n', 'a: "\\ud83d\\ude00"\n'),
    *('a: "\\U00110000"\n', 'a: "\\', "a: ''''", 'a: """"', "a: 'x' y\n", "'a': 1\n", '"a" : 1\n'),
    *("a : 1\n", "a:1\n", "a :1\n", "'a':1\n", "{'a':1}\n", "{a:1}\n"),
    # flow collections: commas, nesting, single pairs
    *("[", "]", "{", "}", "[,]", "[a,,b]", "{,}", "{a: }", "{a, b: c}", "{a: b,}", "[a: b, c]"),
    *("[{a: b}: c]", "{[a]: b}", "{? a : b}", "{? a, b}", "[? a : b]", "{a: [b, {c: [d]}]}"),
    *("a: [\nb\n]\n", "a: {\n  b: c\n}", "a: [b\nc: d", "[a]\n[b]", "{a: b} c", "a: [x]y"),
    *("[a, [b, [c]]", "{" * 30, "[" * 30 + "]" * 30),
    # block collections: indentation, compact forms, complex keys
    *("- a\n- b\n", "- - a\n  - b\n", "-\n  a\n", "-a\n", "- a: b\n  c: d\n", "- a: b\n c: d\n"),
    *("a:\n- b\n- c\n", "a:\n  - b\n - c\n", "a:\n   b: c\n  d: e\n", " a: b\nc: d\n"),
    *("a: b\n c: d\n", "a:\n\n\n  b: c\n", "? a\n: b\n", "? - a\n: - b\n", "? a\n", ": b\n"),
    *("? |\n  x\n: y\n", "? {a: b}\n: c\n", "? ? a\n", "a: - b"),
    # anchors, aliases, tags
    *("&a", "&a b: c", "*a : b", "a: &b\n  c: d\n", "a: &b *b", "&a - b", "[&a b, *a]", "&a &b c"),
    *("a: & b", "*", "!a", "! a", "!!str a: b", "!!map {a: b}", "!!set {a, b}", "!!omap [a: b]"),
    *("!!python/object:os.system x", "!<tag:yaml.org,2002:str> a", "!<", "!a!b c"),
    *("a: !!binary |\n  aGk=\n", "a: !local &b c", "a: !%41 b"),
    # directives and documents
    *("%YAML 1.2\n---\na: b\n", "%YAML 2.0\n---\n", "%YAML\n---\n", "%TAG ! x\n---\n"),
    *("%TAG !e! y\n---\n!e!z a", "%", "%a\n", "---\n", "---a", "--- a", "---\n---\n", "...\n"),
    *("a\n...\nb\n", "...\n...\n", "--- |\n a\n--- b\n"),
    # comments, tabs, line breaks, marks, what cannot be seen
    *("#", " # a\n", "a: b # c\n# d\n", "a:#b\n", "\ta: b\n", "a:\tb\n", "a:\n\tb: c\n"),
    *("a: [\tb\t]\n", "- \ta\n", "a: b\rc: d\r", "a: b\r\nc: d\r\n", "a: b\x85c: d"),
    *("a: b\u2028c: d", "a: b\u2029c", "\ufeffa: b", "a: \ufeffb", "\ufeff\ufeffa: b"),
    *("---\n\ufeff---\n", "a\u200b: b", "a\u00a0: b", "a: \u200e\u202eb", "\x00", "a: \x1b[0m"),
    *("a: \ud7ff\ue000\ufffd", "a: \U0010ffff", "a: \ufdd0", "a: \x7f", "e\u0301: \u00e9"),
    *("a: b\x0bc", "\x0c"),
)  # fmt: skip


def test_there_are_snippets_of_every_chapter() -> None:
    assert len(set(SNIPPETS)) == len(SNIPPETS) >= 60


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("snippet", SNIPPETS)
def test_yamls_own_corners(kind: str, snippet: str) -> None:
    data = snippet.encode("utf-8", "surrogatepass")
    first = f"{kind}: 1\n".encode()
    holds(data, kind)
    holds(first + data, kind)
    holds(first + b"env:\n  A: " + data.replace(b"\n", b"\n  "), kind)
    holds(data + b"\n" + first, kind)
    for encoding in ("utf-16", "utf-32", "gbk"):
        holds(snippet.encode(encoding, "ignore"), kind)


# ---- the command line


class Ended(Protocol):
    code: int | str | None
    out: str
    err: str


@pytest.mark.parametrize("snippet", SNIPPETS[::10])
def test_the_command_line_says_it_and_ends_with_two(
    run_cli: Callable[..., Ended], snippet: str
) -> None:
    for kind in KINDS:
        Path("x.yaml").write_bytes(f"{kind}: 1\nx: 1\n{snippet}".encode())
        arguments = ["show", "debian12-desktop", "--origin", "--site", "x.yaml"]
        ended = run_cli(*(["validate", "x.yaml"] if kind == "profile" else arguments))
        assert (ended.code, ended.out) == (2, "")
        assert ended.err.startswith("x.yaml")
        assert "Traceback" not in ended.err
