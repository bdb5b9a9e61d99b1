"""The schemas give types, and every violation becomes one located message."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from imagekit import document, explain, suggest, validation
from imagekit.validation import dotted, named, suggestion

SCHEMAS = ("profile", "site", "lock")


def check(text: str, name: str = "profile") -> tuple[dict[str, Any], list[str]]:
    """The typed values of a text, and everything that is wrong with it."""
    loaded = document.parse(f"{name}: 1\n{text}", "f")
    assert loaded.problems == ()
    checked = validation.validate(loaded.root, name)
    return checked.values, [str(problem.message) for problem in checked.problems]


def rules(schema: Any) -> Iterator[dict[str, Any]]:
    """Every mapping of a schema, at any depth."""
    if isinstance(schema, dict):
        yield schema
        for part in schema.values():
            yield from rules(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from rules(part)


# ---- the schemas themselves


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_valid_itself(name: str) -> None:
    Draft202012Validator.check_schema(validation.schema(name))


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_keyword_that_can_be_violated_has_words(name: str) -> None:
    said = {"required", "enum", "type", "const", "pattern", "multipleOf", "anyOf", "oneOf"}
    said |= {"additionalProperties", "propertyNames", "uniqueItems", *explain.LIMITS}
    silent = {"$schema", "$id", "$defs", "$ref", "title", "description", "examples"}
    structure = {"properties", "items"}
    for rule in rules(validation.schema(name)):
        if rule.keys() & {"type", "$ref", "anyOf", "pattern"}:
            assert rule.keys() <= said | silent | structure


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_mapping_is_closed_and_every_pattern_is_anchored(name: str) -> None:
    for rule in rules(validation.schema(name)):
        if rule.get("type") == "object":
            assert "additionalProperties" in rule, rule["title"]
        if isinstance(pattern := rule.get("pattern"), str):
            assert pattern.startswith("^"), pattern
            assert pattern.endswith("$(?!\\n)"), pattern  # `$` alone lets a last newline in
            assert "\\d" not in pattern, pattern  # other scripts have digits, too
            assert "\\w" not in pattern, pattern


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_list_and_free_text_has_a_limit(name: str) -> None:
    for rule in rules(validation.schema(name)):
        if rule.get("type") == "array":
            assert "maxItems" in rule, rule["title"]


def examples(rule: dict[str, Any], path: str) -> Iterator[tuple[str, str]]:
    """Every example of a schema as a document: a path of keys, and the text there."""
    for example in rule.get("examples", ()):
        yield path, str(example)
    if "properties" in rule and rule.get("title", "").startswith("a mapping with"):
        assert rule.get("examples"), path
    for branch in rule.get("anyOf", ()):
        yield from examples(branch, path)
    for key, below in rule.get("properties", {}).items():
        yield from examples(below, f"{path}.{key}" if path else key)


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_example_is_right(name: str) -> None:
    for path, example in examples(validation.schema(name), ""):
        *around, key = path.split(".")
        text = "".join(f"{{{outer}: " for outer in around) + f"{{{key}: {example}" + "}"
        text += "}" * len(around)
        root = document.parse(text, "f").root
        wrong = [
            problem
            for problem in validation.validate(root, name).problems
            if "missing key" not in problem.what
        ]
        assert wrong == [], path


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_rule_says_what_is_right_with_an_example(name: str) -> None:
    schema = validation.schema(name)
    for rule in rules(schema):
        if rule is not schema and rule.keys() & {"pattern", "enum", "const"}:
            assert rule["title"], rule
            assert rule["examples"], rule


# ---- types


def test_texts_become_what_the_schema_asks_for() -> None:
    values, wrong = check(
        "description: 3.10\nsshd: {password: true}\nuser: {uid: 1000, sudo: false, name: lab}\n"
        "desktop: true\npackages: {apt: [7zip]}\nenv: {A: 3.10, B: no, C: 0755, D: 12:30}"
    )
    assert wrong == []
    assert values == {
        "profile": 1,
        "description": "3.10",
        "sshd": {"password": True},
        "user": {"uid": 1000, "sudo": False, "name": "lab"},
        "desktop": True,
        "packages": {"apt": ["7zip"]},
        "env": {"A": "3.10", "B": "no", "C": "0755", "D": "12:30"},
    }


@pytest.mark.parametrize(
    "text",
    ["1000.0", "1e3", "01000", "0x3e8", "1_000", "16:40", ".nan", "١٠٠٠", "1000 x", "", "9" * 5000],
)
def test_only_plain_decimal_digits_are_a_whole_number(text: str) -> None:
    _, wrong = check(f"user: {{uid: '{text}'}}")
    assert len(wrong) == 1
    assert "f:2:13: user.uid: expected a user id from 1000 to 59999, found " in wrong[0]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        *((yes, "did you mean true?") for yes in ("yes", "on", "True", "1", "y")),
        *((no, "did you mean false?") for no in ("no", "off", "FALSE", "0", "n")),
        ("", "for instance true"),
        ("maybe", "for instance true"),
    ],
)
def test_only_true_and_false_are_a_boolean(text: str, hint: str) -> None:
    _, wrong = check(f"user: {{sudo: '{text}'}}")
    assert wrong == [f'f:2:14: user.sudo: expected true or false, found "{text}"\n  hint: {hint}']


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("cuda: 12.2", {"cuda": "12.2"}),
        ("cuda: 10.0", {"cuda": "10.0"}),
        ("cuda: 12", {"cuda": "12"}),
        ("cuda: true", {"cuda": "true"}),
        ("cuda: {version: 10.10, cudnn: 8.9.7.29}", {"version": "10.10", "cudnn": "8.9.7.29"}),
        ("python: 3.10", {"python": "3.10"}),
        ("framework: {name: jax, version: 0.10}", {"name": "jax", "version": "0.10"}),
        ("mirrors: tuna", {"mirrors": "tuna"}),
        ("framework: none", {"framework": "none"}),
    ],
)
def test_versions_stay_as_they_are_written(text: str, values: dict[str, str]) -> None:
    found, wrong = check(text)
    assert wrong == []
    assert found in ({"profile": 1, **values}, {"profile": 1, text.partition(":")[0]: values})


# ---- messages


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("usr: {}", 'f:2:1: usr: unknown key\n  hint: did you mean "user"?'),
        (
            "sshd: {port: 22}",
            "f:2:8: sshd.port: unknown key\n  hint: known: password, root",
        ),
        (
            "desktop: [a]",
            (
                "f:2:10: desktop: expected true, false, or a mapping with session, geometry, "
                "depth, applications and vnc, found a list\n  hint: for instance {session: xfce}"
            ),
        ),
        (
            "desktop: maybe",
            (
                "f:2:10: desktop: expected true, false, or a mapping with session, geometry, "
                'depth, applications and vnc, found "maybe"\n  hint: for instance {session: xfce}'
            ),
        ),
        (
            "desktop: {geometry: big}",
            (
                'f:2:21: desktop.geometry: "big" is not WIDTHxHEIGHT in pixels\n'
                "  hint: for instance 1920x1080"
            ),
        ),
        (
            "packages: {apt: vim}",
            (
                'f:2:17: packages.apt: expected a list of apt package names, found "vim"\n'
                "  hint: for instance [htop, tmux]"
            ),
        ),
        (
            "packages: {apt: {items: [vim]}}",
            (
                "f:2:17: packages.apt: expected a list of apt package names, found a mapping\n"
                "  hint: for instance [htop, tmux]"
            ),
        ),
        (
            "user:",
            (
                "f:2:6: user: expected a mapping with name, uid, gid, groups, shell and sudo, "
                "found no value\n"
                "  hint: for instance {name: lab, uid: 1000, sudo: true}"
            ),
        ),
        (
            "user: {uid: 999}",
            'f:2:13: user.uid: "999" is too small; the least is 1000\n  hint: for instance 1000',
        ),
        (
            "user: {uid: 60000}",
            'f:2:13: user.uid: "60000" is too large; the most is 59999\n  hint: for instance 1000',
        ),
        (
            "env: {A B: x}",
            (
                'f:2:7: env: key "A B" is not a variable name: letters, digits and _, no digit '
                "first, at most 64\n"
                "  hint: for instance EDITOR"
            ),
        ),
        (
            "env: {A: }",
            "f:2:10: env.A: expected one line of text, found no value\n  hint: for instance value",
        ),
        (
            "extends: _desktop-zh",
            (
                'f:2:10: extends: expected a list of profile names, found "_desktop-zh"\n'
                "  hint: for instance [_desktop-zh]"
            ),
        ),
    ],
)
def test_a_violation_says_where_what_and_what_would_be_right(text: str, message: str) -> None:
    assert check(text)[1] == [message]


@pytest.mark.parametrize("version", ["2", "1.0", "two", "", "'01'", "[1]"])
def test_another_version_of_the_format_is_one_mistake(version: str) -> None:
    root = document.parse(f"profile: {version}", "f").root
    assert len(validation.validate(root, "profile").problems) == 1


def test_a_missing_version_is_said() -> None:
    root = document.parse("description: x", "f").root
    found = [str(problem.message) for problem in validation.validate(root, "profile").problems]
    assert found == ['f:1:1: missing key "profile"\n  hint: write profile: 1']


def test_all_violations_come_in_file_order() -> None:
    _, wrong = check(
        "user: {uid: x, sudo: x}\nenv: {1: a, B: [c]}\npackages: {apt: [V, vim, vim, W]}\nx: 1"
    )
    places = [message.partition(": ")[0] for message in wrong]
    assert places == ["f:2:13", "f:2:22", "f:3:7", "f:3:16", "f:4:18", "f:4:26", "f:4:31", "f:5:1"]


def test_items_are_called_by_their_places_in_their_own_list() -> None:
    root = document.parse("a: [{b: [x, y]}, {b: [z]}]", "f").root
    left = validation.prune(root, frozenset([("a", 0, "b", 0)]))
    assert named(left, ("a", 0, "b", 0)) == "a[0].b[1]"
    again = validation.prune(left, frozenset([("a", 0)]))
    assert named(again, ("a", 0, "b", 0)) == "a[1].b[0]"
    assert str(validation.place(again, ("a", 0, "b", 0))) == "f:1:23"


def test_the_rest_of_a_document_is_left_when_what_is_wrong_is_pruned() -> None:
    root = document.parse("a: {b: 1, c: [x, y, {d: 2}]}\ne: 3", "f").root
    left = validation.prune(root, frozenset([("a", "c", 0), ("a", "c", 2, "d"), ("e",)]))
    assert [entry.key for entry in left.entries] == ["a"]
    assert str(validation.place(left, ("a", "c", 0))) == "f:1:18"
    assert str(validation.place(left, ("a", "nothing"))) == str(validation.place(left, ("a",)))


# ---- the site's schema


@pytest.mark.parametrize(
    "url",
    [
        "ftp://x/",
        "x",
        "http://x/ ' && id #",
        "[trusted=yes] http://x",
        "http://x\nnpm=http://y",
        "http://user:pass@x/",
        "http://x/$(id)",
        "http://x/`id`",
        "http://x/;id",
        "http://x/#a",
        "http://x:99999999/",
        "http://é/",
        "",
    ],
)
def test_what_is_no_plain_web_address_is_refused(url: str) -> None:
    for key in ("apt", "pypi", "npm"):
        values, wrong = check(f"mirrors: {{{key}: {json.dumps(url)}}}", "site")
        assert len(wrong) == 1, values
        assert f"mirrors.{key}: " in wrong[0]


@pytest.mark.parametrize("address", ["999.1.1.1", "::ffff:0:0", "localhost", "1.2.3", "01.2.3.4"])
def test_what_is_no_ipv4_address_is_refused(address: str) -> None:
    _, wrong = check(f"run: {{bind: '{address}'}}", "site")
    assert len(wrong) == 1


@pytest.mark.parametrize("port", ["80", "6011", "65530", "22:22", "6010.0"])
def test_what_is_no_first_port_of_a_block_is_refused(port: str) -> None:
    _, wrong = check(f"run: {{ports: {port}}}", "site")
    assert len(wrong) == 1


# ---- helpers


def test_paths_are_dotted_for_people() -> None:
    assert dotted(()) == ""
    assert dotted(("packages", "apt", 2)) == "packages.apt[2]"
    assert dotted(("env", "A B", "")) == 'env."A B".""'
    assert dotted(("a\n", "b\x1b")) == '"a\\n"."b\\x1b"'


def test_a_near_miss_is_suggested_and_otherwise_all_is_listed() -> None:
    assert suggestion("debain12", ["debian12", "x"]) == 'did you mean "debian12"?'
    assert suggestion("zzz", ["b", "a"]) == "known: a, b"
    assert suggestion("pipy", ["pypi", "apt"]) == 'did you mean "pypi"?'
    assert suggestion("zzz", []) == ""
    assert suggestion("zzz", [f"a{n:02}" for n in range(50)]).endswith("a29 and 20 more")
    assert suggestion("d" * 10_000, ["desktop"]) == "known: desktop"


@pytest.mark.parametrize(
    ("text", "path", "meant"),
    [
        ("3.1", ("python",), "3.10"),
        ("3.11.4", ("python",), "3.11"),
        ("v3.12", ("python",), "3.12"),
        ("3.2", ("python",), ""),
        ("12.4.1", ("cuda", "version"), "12.4"),
        (" 12.4\n", ("cuda", "version"), "12.4"),
        ("vim tmux", ("packages", "apt"), ""),
        ("foo/stable", ("packages", "apt"), ""),
        ("./foo.deb", ("packages", "apt"), ""),
        ("7", ("packages", "apt"), ""),
        ("1920 × 1080", ("desktop", "geometry"), "1920x1080"),
        ("x" * 10_000, ("user", "name"), ""),
    ],
)
def test_only_what_surely_was_meant_is_suggested(
    text: str, path: tuple[str, ...], meant: str
) -> None:
    rule = validation.schema("profile")
    for key in path:
        rule = rule["properties"][key]
        rule = rule["anyOf"][1] if "anyOf" in rule else rule
    rule = rule.get("items", rule)
    assert suggest.repaired(text, rule["pattern"]) == meant


@pytest.mark.parametrize("text", ["\\n\\uaa4e", "\\n\\u200b", " \\uE000"])
def test_what_is_suggested_is_shown_escaped(text: str) -> None:
    for document_of in (f'env: {{A: "{text}"}}', f'user: {{name: "{text}"}}', f'"{text}": 1'):
        for message in check(document_of)[1]:
            assert message.replace("\n  hint: ", "").isprintable()


def test_of_a_crowd_only_its_size_is_said() -> None:
    items = ", ".join(f"X{number}" for number in range(501))
    _, wrong = check(f"packages: {{apt: [{items}]}}\nuser: {{uid: 1}}")
    assert len(wrong) == 2
    assert wrong[0] == "f:2:17: packages.apt: too many items; the most is 500"


def test_passwords_in_addresses_are_not_repeated() -> None:
    _, wrong = check("mirrors: {apt: 'http://me:hunter2@x/'}", "site")
    assert "hunter2" not in wrong[0]
    assert '"http://…@x/"' in wrong[0]


@pytest.mark.parametrize(
    "text",
    [
        "".join(f"{'desktop' * 4}{n}: 1\n" for n in range(2_400)),
        "env:\n" + "".join(f" 1k{n}: 1\n" for n in range(2_400)),
        "packages: {apt: [" + ",".join(f"X{n}" for n in range(4_900)) + "]}",
        "packages: {apt: [" + ",".join(f"{{a: {n}}}" for n in range(1_600)) + "]}",
        "packages: {apt: [" + ",".join(f"[x{n}]" for n in range(2_400)) + "]}",
        "locale: {timezone: " + "A/" * 50_000 + "}",
        "? " + "d" * 200_000 + "\n: 1",
    ],
    ids=["keys", "names", "items", "mappings", "lists", "long value", "long key"],
)
def test_a_document_of_mistakes_takes_no_more_than_a_moment(text: str) -> None:
    began = time.process_time()
    _, wrong = check(text)
    assert time.process_time() - began < 1
    assert wrong
    assert all(re.match(r"f:\d+:\d+: ", message) for message in wrong)
