"""Profiles: found, merged, overridden, typed."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from imagekit import assets, inherit, profile
from imagekit.errors import InputError
from imagekit.plan.resolve import resolve

Write = Callable[..., str]


def refusal(name: str, *overrides: str) -> list[str]:
    """All messages that a profile is refused with."""
    with pytest.raises(InputError) as refused:
        resolve(profile.load(name, overrides))
    return [str(message) for message in refused.value.messages]


# ---- finding


def test_a_name_is_looked_for_here_then_at_the_users_then_among_the_shipped(
    write: Write, tmp_path: Path
) -> None:
    shipped = profile.find("debian12-desktop")
    assert shipped.is_absolute()
    own = tmp_path / "config" / "imagekit" / "profiles" / "debian12-desktop.yaml"
    own.parent.mkdir(parents=True)
    own.write_text("profile: 1")
    assert profile.find("debian12-desktop") == own
    here = write("profile: 1", "profiles/debian12-desktop.yaml")
    assert profile.find("debian12-desktop") == Path(here)


@pytest.mark.parametrize("name", ["./x.yaml", "x.yaml", "x.yml", "sub/x.yaml", "sub/x"])
def test_whatever_looks_like_a_path_is_one(place: Path, name: str) -> None:
    assert profile.find(name) == Path(name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("debain12-desktop", 'no profile "debain12-desktop"\n  hint: did you mean "debian12-'),
        ("", 'no profile ""'),
        ("..", 'no profile ".."'),
        ("a\x1b[31m", 'no profile "a\\x1b[31m"'),
        ("Up.yaml", "Up.yaml: the file's stem is no profile name"),
        ("a b.yaml", "a b.yaml: the file's stem is no profile name"),
        ("-x.yaml", "the file's stem is no profile name"),
        ("x" * 65 + ".yaml", "the file's stem is no profile name"),
        (".yaml", "the file's stem is no profile name"),
        ("a\n.yaml", "the file's stem is no profile name"),
        ("none.yaml", "none.yaml: no such file"),
        ("./", "the file's stem is no profile name"),
        (
            "_mixin.yaml",
            "_mixin.yaml: a mixin cannot be built\n  hint: mixins are for extends: only",
        ),
        ("_desktop-zh", "a mixin cannot be built"),
    ],
)
def test_what_cannot_be_found_is_said(place: Path, name: str, message: str) -> None:
    (found,) = refusal(name)
    assert message in found


@pytest.mark.parametrize("name", ["a\x1b[31m.yaml", "./\x1b]0;x\x07.yaml", "a\nb/x.yaml"])
def test_no_control_character_of_a_name_reaches_the_message(place: Path, name: str) -> None:
    (found,) = refusal(name)
    assert found.replace("\n  hint: ", "").isprintable()


def test_names_are_sorted_and_without_mixins(write: Write) -> None:
    write("profile: 1", "profiles/b.yaml")
    write("profile: 1", "profiles/a.yaml")
    write("profile: 1", "profiles/_mixin.yaml")
    write("no profile", "profiles/readme.md")
    shipped = {path.stem for path in assets.folder("profiles").glob("[!_]*.yaml")}
    assert profile.names() == tuple(sorted({"a", "b", *shipped}))
    assert "debian12-desktop" in shipped


@pytest.mark.parametrize("name", ["My Lab", "Über", "-x", "x" * 64])
def test_every_name_that_is_listed_can_be_found(write: Write, name: str) -> None:
    write("profile: 1", f"profiles/{name}.yaml")
    for listed in profile.names():
        assert profile.find(listed)


@pytest.mark.parametrize("kind", ["dangling link", "folder"])
def test_only_files_are_listed(place: Path, kind: str) -> None:
    folder = place / "profiles"
    folder.mkdir()
    if kind == "folder":
        (folder / "x.yaml").mkdir()
    else:
        (folder / "x.yaml").symlink_to("nowhere")
    assert "debian12-desktop" in profile.names()
    assert "x" not in profile.names()


# ---- merging


def test_extending_merges_mappings_replaces_scalars_and_appends_lists(write: Write) -> None:
    write(
        "profile: 1\ndescription: a\nuser: {name: a, uid: 2000}\npackages: {apt: [vim, htop]}\n"
        "env: {A: '1', B: '1'}",
        "profiles/_a.yaml",
    )
    write("profile: 1\nuser: {name: b}\npackages: {apt: [tmux]}", "profiles/_b.yaml")
    name = write(
        "profile: 1\nextends: [_a, _b]\nuser: {sudo: false}\npackages: {apt: [htop, git]}\n"
        "env: {B: '2'}"
    )
    found = profile.load(name)
    assert found.problems == ()
    assert found.description == "a"
    assert (found.user.name, found.user.uid, found.user.sudo) == ("b", 2000, False)
    assert found.apt == ("vim", "htop", "tmux", "git")
    assert found.env == (("A", "1"), ("B", "2"))


def test_the_last_word_on_a_feature_counts_whatever_its_kind(write: Write) -> None:
    write("profile: 1\ndesktop: {session: xfce, geometry: 800x600}", "profiles/_a.yaml")
    assert profile.load(write("profile: 1\nextends: [_a]\ndesktop: false")).desktop is None
    on = profile.load(write("profile: 1\nextends: [_a]\ndesktop: {}", "y.yaml"))
    assert on.desktop is not None
    assert on.desktop.geometry == "800x600"


def test_a_file_extended_twice_counts_once(write: Write) -> None:
    write("profile: 1\npackages: {apt: [vim]}", "profiles/_a.yaml")
    write("profile: 1\nextends: [_a]\ndescription: b", "profiles/_b.yaml")
    write("profile: 1\nextends: [_a]\ndescription: c", "profiles/_c.yaml")
    found = profile.load(write("profile: 1\nextends: [_b, _c]"))
    assert (found.apt, found.description) == (("vim",), "c")


def test_a_lab_can_have_defaults_of_its_own(write: Write) -> None:
    write("profile: 1\nlocale: {timezone: Asia/Shanghai}", "profiles/_base.yaml")
    found = profile.load(write("profile: 1"))
    assert (found.timezone, found.lang) == ("Asia/Shanghai", "en_US.UTF-8")


def test_the_shipped_defaults_choose_nothing_that_the_resolver_chooses(place: Path) -> None:
    text = (profile.find("_base")).read_text()
    for key in ("base", "cuda", "framework", "python"):
        assert f"\n{key}:" not in text


def test_a_value_knows_the_file_that_it_came_from(write: Write) -> None:
    write("profile: 1\nuser: {name: root}", "profiles/_a.yaml")
    (found,) = refusal(write("profile: 1\nextends: [_a]"))
    assert found.startswith("profiles/_a.yaml:2:14: user.name: ")


def test_a_circle_shows_its_path(write: Write) -> None:
    write("profile: 1\nextends: [_b]", "profiles/_a.yaml")
    write("profile: 1\nextends: [_c]", "profiles/_b.yaml")
    write("profile: 1\nextends: [_a]", "profiles/_c.yaml")
    (found,) = refusal(write("profile: 1\nextends: [_a]"))
    assert "extends: goes round in a circle: x -> _a -> _b -> _c -> _a" in found
    assert found.startswith("profiles/_c.yaml")


def test_a_file_that_extends_itself_is_a_circle(write: Write) -> None:
    name = write("profile: 1\nextends: [x]", "profiles/x.yaml")
    (found,) = refusal(name)
    assert found == (
        "profiles/x.yaml:2:11: extends: goes round in a circle: x -> x\n"
        "  hint: remove one of these extends"
    )


def test_a_chain_has_an_end(write: Write) -> None:
    for number in range(inherit.MAX_FILES + 5):
        write(f"profile: 1\nextends: [_c{number + 1}]", f"profiles/_c{number}.yaml")
    (found,) = refusal(write("profile: 1\nextends: [_c0]"))
    assert found.startswith("profiles/_c")
    assert "extends: more than 20 files" in found


def test_many_ways_to_one_file_take_no_more_than_a_moment(write: Write) -> None:
    for number in range(15):
        below = ", ".join(f"_m{n}" for n in range(number + 1, 16))
        write(f"profile: 1\nextends: [{below}]", f"profiles/_m{number}.yaml")
    write("profile: 1", "profiles/_m15.yaml")
    began = time.process_time()
    assert profile.load(write("profile: 1\nextends: [_m0]")).problems == ()
    assert time.process_time() - began < 1


def test_a_long_list_of_missing_files_takes_no_more_than_a_moment(write: Write) -> None:
    items = ", ".join(f"debian-{number}" for number in range(4_900))
    began = time.process_time()
    assert refusal(write(f"profile: 1\nextends: [{items}]"))
    assert time.process_time() - began < 1


def test_what_is_extended_but_missing_is_said_where_it_is_named(write: Write) -> None:
    found = refusal(write("profile: 1\nextends: [_desktop-zn, debian12-dekstop]"))
    assert [message.partition(": extends")[0] for message in found] == [
        "x.yaml:2:11",
        "x.yaml:2:24",
    ]
    assert 'did you mean "debian12-desktop"?' in found[1]


def test_a_near_miss_of_a_mixin_is_suggested(write: Write) -> None:
    (found,) = refusal(write("profile: 1\nextends: [_desktop-zn]"))
    assert 'did you mean "_desktop-zh"?' in found


@pytest.mark.parametrize(
    "item",
    [
        "x.yaml",
        "_desktop-zh.yml",
        "../x",
        "/etc/passwd",
        "a/b",
        "X",
        "'a b'",
        "[a]",
        "{a: b}",
        "''",
        "x.yaml/..",
    ],
)
def test_only_names_can_be_extended(write: Write, item: str) -> None:
    found = refusal(write(f"profile: 1\nextends: [{item}]"))
    assert len(found) == 1
    assert found[0].startswith("x.yaml:2:11: extends[0]: ")


def test_every_file_says_the_version_that_it_is_written_in(write: Write) -> None:
    (found,) = refusal(write("description: x"))
    assert 'missing key "profile"' in found


def test_a_file_that_is_extended_must_be_of_this_version(write: Write) -> None:
    write("profile: 2", "profiles/_a.yaml")
    found = refusal(write("profile: 1\nextends: [_a]"))
    assert found[0].startswith("profiles/_a.yaml:1:10: profile: ")


# ---- what is wrong does not hide the rest


def test_defaults_stand_in_for_what_is_wrong(write: Write) -> None:
    found = profile.load(write("profile: 1\nuser: [x]\nlocale: {lang: [a], timezone: UTC}\nenv: 1"))
    assert len(found.problems) == 3
    assert (found.user.name, found.lang, found.timezone) == ("lab", "en_US.UTF-8", "UTC")
    assert found.wrong == {"user", "locale", "env"}


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("framework: {name: x, version: 2}", 1),
        ("framework: {nmae: jax}", 2),
        ("files: [{path: x, text: y}]", 1),
        ("files: [{text: [y]}]", 2),
        ("files: [{path: /x, mode: 1, from: .., text: 3}, {}]", 5),
        ("profile: []", 1),
        ("cuda: {version: [1]}", 1),
        ("mirrors: {preset: [1], keep: 2, apt: 3}", 3),
    ],
)
def test_what_needs_something_wrong_is_left_out_with_it(
    write: Write, text: str, count: int
) -> None:
    start = "" if text.startswith("profile") else "profile: 1\n"
    found = profile.load(write(f"{start}{text}"))
    assert len(found.problems) == count
    assert (found.framework, found.files) == (None, ())


def test_items_are_called_by_their_places_in_the_file_that_wrote_them(write: Write) -> None:
    write("profile: 1\nfiles: [{path: /a, text: a}, {path: b, text: b}]", "profiles/_a.yaml")
    found = profile.load(
        write("profile: 1\nextends: [_a]\nfiles: [{path: c, text: c}, {path: /d, text: d}]")
    )
    assert [problem.what.partition(":")[0] for problem in found.problems] == [
        "files[1].path",
        "files[0].path",
    ]
    assert [file.path for file in found.files] == ["/a", "/d"]
    assert found.key("files", 1, "path") == "files[1].path"
    assert str(found.where("files", 1, "path")) == "x.yaml:3:36"


def test_no_text_whatever_makes_the_loader_crash(write: Write) -> None:
    chance = random.Random(7)  # noqa: S311
    keys = [
        "profile",
        "description",
        "extends",
        "base",
        "os",
        "desktop",
        "session",
        "sshd",
        "password",
        "locale",
        "lang",
    ]
    keys += ["timezone", "packages", "apt", "user", "name", "uid", "sudo", "env", "A"]
    values = ["1", "true", "", "~", "[]", "{}", "[a, a]", "xfce", "zh_CN.UTF-8", "'\"$'", "[[1]]"]
    for _ in range(150):
        lines = [f"{key}: {chance.choice(values)}" for key in chance.sample(keys, 4)]
        for key in chance.sample(keys, 3):
            inner = ", ".join(f"{k}: {chance.choice(values)}" for k in chance.sample(keys, 2))
            lines.append(f"{key}: {{{inner}}}")
        with contextlib.suppress(InputError):
            resolve(profile.load(write("\n".join(lines))))


# ---- overrides


def test_overrides_win_over_the_files(write: Write) -> None:
    name = write("profile: 1\nuser: {name: a, uid: 2000}\npackages: {apt: [vim]}")
    overrides = (
        "user.name=zhang",
        "desktop=true",
        "env.OPTS=a=b.c",
        "packages.apt=[git, tmux]",
        "description=",
        "user.name=li",
    )
    found = profile.load(name, overrides)
    assert found.problems == ()
    assert (found.user.name, found.user.uid) == ("li", 2000)
    assert found.desktop is not None
    assert found.env == (("OPTS", "a=b.c"),)
    assert found.apt[-2:] == ("git", "tmux")
    assert found.description == ""


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("user", "--set user: not of the form key.path=value\n  hint: write --set key.path=value"),
        ("=x", "--set =x: not of the form key.path=value"),
        ("user..name=x", "--set user..name=x: not of the form key.path=value"),
        ("user.nmae=x", '--set user.nmae=x: user.nmae: unknown key\n  hint: did you mean "name"?'),
        (
            "user.uid=0755",
            '--set user.uid=0755: user.uid: expected a user id from 1000 to 59999, found "0755"',
        ),
        ("user.sudo=yes", '--set user.sudo=yes: user.sudo: expected true or false, found "yes"'),
        ("user=x", "--set user=x: user: expected a mapping with name, uid"),
        ("user.name=root", '--set user.name=root: user.name: "root" is a system account'),
        ("packages.apt=[V]", "--set packages.apt=[V]: packages.apt[0]: "),
        ("packages.apt.0=vim", "packages.apt: expected a list"),
        ("profile=2", "--set profile=2: profile: expected "),
        ("env.A B=x", 'env: key "A B" is not a variable name'),
    ],
)
def test_an_override_goes_through_the_same_schema(
    write: Write, override: str, message: str
) -> None:
    found = refusal(write("profile: 1"), override)
    assert len(found) == 1
    assert message in found[0]


# What a file may not hold may not come in by the command line either.
CONTROLS = ["\x00", "\x1b[31m", "\x7f", "\x85", "\u2028", "\u2029", "\u202e", "\u2066", "\udcff"]


@pytest.mark.parametrize("text", CONTROLS)
@pytest.mark.parametrize("key", ["description", "env.A"])
def test_no_control_character_comes_in_by_an_override(write: Write, key: str, text: str) -> None:
    (found,) = refusal(write("profile: 1"), f"{key}=a{text}b")
    assert found.replace("\n  hint: ", "").isprintable()


@pytest.mark.parametrize("text", ["user.name=a\nb", "user.\x1b[31m=x", "\u202e"])
def test_no_control_character_of_an_override_reaches_the_message(write: Write, text: str) -> None:
    for found in refusal(write("profile: 1"), text):
        assert found.replace("\n  hint: ", "").isprintable()


def test_an_override_is_no_deeper_than_a_file(write: Write) -> None:
    assert refusal(write("profile: 1"), "a." * 3_000 + "b=1")


def test_an_override_of_extends_is_not_ignored_silently(write: Write) -> None:
    name = write("profile: 1")
    try:
        found = profile.load(name, ("extends=[_desktop-zh]",))
    except InputError:
        return
    assert found.problems or found.desktop is not None
