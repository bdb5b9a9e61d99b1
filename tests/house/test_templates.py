"""Templates decide nothing, quote everything, and make a Dockerfile that linters accept."""

from __future__ import annotations

import ast
import base64
import hashlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import jinja2
import pytest
from jinja2 import nodes

from imagekit import assets, profile, render
from imagekit.context import Context
from imagekit.plan.resolve import resolve

TEMPLATES = assets.folder("templates")
ENVIRONMENT = render._environment(TEMPLATES)
SOURCES = sorted(path.relative_to(TEMPLATES).as_posix() for path in TEMPLATES.rglob("*.j2"))
FILTERS = {"sh", "json", "dockerfile", "comment", "file"}
QUOTING = FILTERS - {"file"}
# Output, `if name`, `for`, `include`, and what these are made of.
ALLOWED = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Filter,
    nodes.If,
    nodes.For,
    nodes.Include,
    nodes.Name,
    nodes.Getattr,
    nodes.Tuple,
    nodes.Const,
    nodes.Concat,
)


def parse(source: str) -> nodes.Template:
    return ENVIRONMENT.parse((TEMPLATES / source).read_text("utf-8"))


def below(node: nodes.Node) -> Iterator[nodes.Node]:
    yield node
    for child in node.iter_child_nodes():
        yield from below(child)


@pytest.fixture(
    scope="module",
    params=sorted(
        path.stem for path in assets.folder("profiles").glob("*.yaml") if path.stem[0] != "_"
    ),
)
def context(request: pytest.FixtureRequest) -> Context:
    """The context of each shipped profile."""
    return render.render(resolve(profile.load(request.param)))


def test_there_are_templates() -> None:
    assert "Dockerfile.j2" in SOURCES
    assert set(ENVIRONMENT.filters) == FILTERS


@pytest.mark.parametrize("source", SOURCES)
def test_a_template_uses_output_if_for_and_include_alone(source: str) -> None:
    for node in below(parse(source)):
        assert isinstance(node, ALLOWED), f"{source}:{node.lineno}: {type(node).__name__}"
        if isinstance(node, nodes.If):
            assert isinstance(node.test, (nodes.Name, nodes.Getattr)), f"{source}:{node.lineno}"
            assert not node.elif_, f"{source}:{node.lineno}"
            assert not node.else_, f"{source}:{node.lineno}"
        if isinstance(node, nodes.For):
            assert isinstance(node.iter, (nodes.Name, nodes.Getattr)), f"{source}:{node.lineno}"
            assert node.test is None, f"{source}:{node.lineno}"
            assert not node.recursive, f"{source}:{node.lineno}"
            assert not node.else_, f"{source}:{node.lineno}"
        if isinstance(node, nodes.Include):
            assert isinstance(node.template, (nodes.Const, nodes.Concat)), f"{source}:{node.lineno}"
            assert not node.ignore_missing, f"{source}:{node.lineno}"
        if isinstance(node, nodes.Concat):
            assert all(isinstance(part, (nodes.Const, nodes.Name)) for part in node.nodes)


@pytest.mark.parametrize("source", SOURCES)
def test_every_output_ends_in_a_filter_that_quotes(source: str) -> None:
    for node in below(parse(source)):
        if isinstance(node, nodes.Output):
            for part in node.nodes:
                if not isinstance(part, nodes.TemplateData):
                    assert isinstance(part, nodes.Filter), f"{source}:{part.lineno}: no filter"
                    assert part.name in QUOTING, f"{source}:{part.lineno}: {part.name}"


@pytest.mark.parametrize("source", SOURCES)
def test_the_comment_filter_stands_in_comments_alone(source: str) -> None:
    for number, line in enumerate((TEMPLATES / source).read_text("utf-8").splitlines(), 1):
        commented = line.startswith("#")
        assert commented or "| comment" not in line, f"{source}:{number}"
        assert not commented or "{{" not in re.sub(r"\{\{[^}]*\| comment \}\}", "", line)


def test_every_part_is_included_somewhere(root: Path) -> None:
    written = "".join((TEMPLATES / source).read_text("utf-8") for source in SOURCES)
    # The lists that Dockerfile.j2 goes through are made in imagekit/layout.py.
    lists = (root / "imagekit" / "layout.py").read_text("utf-8")
    names = (source.removeprefix("parts/").removesuffix(".Dockerfile.j2") for source in SOURCES)
    by_name = {f"parts/{name}.Dockerfile.j2" for name in names if f'"{name}"' in lists}
    for source in SOURCES:
        if source.startswith("parts/"):
            assert f'"{source}"' in written or source in by_name, source


def test_an_unfiltered_output_would_be_seen() -> None:
    tree = ENVIRONMENT.parse("{{ plan.profile }}{{ plan.profile | sh }}")
    outputs = [part for node in tree.body for part in getattr(node, "nodes", ())]
    assert [isinstance(part, nodes.Filter) for part in outputs] == [False, True]


def test_templates_hold_regular_files_only() -> None:
    for path in TEMPLATES.rglob("*"):
        assert not path.is_symlink(), path
        assert path.is_file() or path.is_dir(), path


def test_every_template_compiles() -> None:
    for source in SOURCES:
        assert isinstance(ENVIRONMENT.get_template(source), jinja2.Template)


def test_a_dockerfile_never_chooses_its_own_frontend(context: Context) -> None:
    # BuildKit reads directives from comments at the very top, until the first other line.
    directive = re.compile(r"^(#|//)\s*[A-Za-z][A-Za-z0-9]*\s*=")
    for line in context.dockerfile.splitlines():
        assert not directive.match(line), line
    assert context.dockerfile.startswith("# ")


def test_hadolint_accepts_the_dockerfile(context: Context, root: Path) -> None:
    tool = Path(sys.executable).parent / "hadolint"
    command = [tool, "--no-color", "--config", root / ".hadolint.yaml", "-"]
    found = subprocess.run(command, input=context.dockerfile, capture_output=True, text=True)  # noqa: PLW1510
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")


def test_hadolint_accepts_the_questions_of_a_lock(root: Path) -> None:
    text = render.render_questions(resolve(profile.load("cuda12-torch-ssh")), ()).dockerfile
    tool = Path(sys.executable).parent / "hadolint"
    command = [tool, "--no-color", "--config", root / ".hadolint.yaml", "-"]
    found = subprocess.run(command, input=text, capture_output=True, text=True)  # noqa: PLW1510
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")


def test_every_exception_from_hadolint_has_its_reason(root: Path) -> None:
    lines = (root / ".hadolint.yaml").read_text("utf-8").splitlines()
    ignored = [line for line in lines if line.strip().startswith("- ")]
    assert 0 < len(ignored) <= 6
    assert all(re.fullmatch(r"  - (DL|SC)\d{4} +# .{20,}", line) for line in ignored)


def shell_scripts(root: Path, listed: list[str]) -> list[str]:
    """Files that a shell reads: by their first line, or by shellcheck's own directive.

    The parts of .ci/engine are read as one with it: shellcheck follows their names.
    """
    return [
        name
        for name in listed
        if name.startswith(("templates/", ".ci/"))
        and not name.startswith(".ci/engine.d/")
        and re.match(rb"#!.*\b(ba|da)?sh\n|# shellcheck shell=", (root / name).read_bytes())
    ]


def test_shellcheck_accepts_every_script(root: Path, listed: list[str]) -> None:
    scripts = shell_scripts(root, listed)
    assert "templates/build/base/env.sh" in scripts
    assert "templates/rootfs/base/usr/lib/imagekit/init" in scripts
    assert ".ci/run" in scripts
    tool = Path(sys.executable).parent / "shellcheck"
    found = subprocess.run([tool, "-x", "--", *scripts], cwd=root, capture_output=True, text=True)  # noqa: PLW1510
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")


def test_python_scripts_of_the_image_are_python_of_the_oldest_release(
    root: Path, listed: list[str]
) -> None:
    scripts = [
        name
        for name in listed
        if name.startswith("templates/rootfs/")
        and (root / name).read_bytes().startswith(b"#!/usr/bin/python3\n")
    ]
    assert scripts
    for name in scripts:
        ast.parse((root / name).read_text("utf-8"), name, feature_version=(3, 10))


def test_python_of_the_build_is_python_of_the_releases_that_run_it() -> None:
    # fetch.py runs on Ubuntu 18.04, and conda-install.py wherever rattler does.
    for name, version in (("cuda/fetch.py", (3, 6)), ("python/conda-install.py", (3, 8))):
        ast.parse((TEMPLATES / "build" / name).read_text("utf-8"), name, feature_version=version)


def test_programs_of_the_image_can_be_executed_and_nothing_else(
    root: Path, listed: list[str]
) -> None:
    for name in listed:
        if name.startswith("templates/rootfs/"):
            program = (root / name).read_bytes().startswith(b"#!")
            executable = bool((root / name).stat().st_mode & 0o100)
            assert executable == program, name


def test_mozillas_key_is_the_one_that_mozilla_names() -> None:
    """One primary key and no other, by the fingerprint of version 4 keys.

    https://support.mozilla.org/kb/install-firefox-linux
    https://www.rfc-editor.org/rfc/rfc4880#section-12.2
    """
    file = TEMPLATES / "rootfs/mozilla/etc/apt/keyrings/packages.mozilla.org.asc"
    armored = file.read_text("ascii").partition("\n\n")[2].partition("\n=")[0]
    packets = list(packets_of(base64.b64decode(armored)))
    assert [tag for tag, _ in packets] == [PUBLIC_KEY, USER_ID, SIGNATURE]
    key = packets[0][1]
    framed = b"\x99" + len(key).to_bytes(2, "big") + key
    found = hashlib.sha1(framed, usedforsecurity=False).hexdigest().upper()
    assert found == "35BAA0B33E9EB396F59CA838C0BA5CE6DC6315A3"


# RFC 4880, section 4.3
SIGNATURE, PUBLIC_KEY, USER_ID = 2, 6, 13


def packets_of(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Tags and bodies of OpenPGP packets in the new format, of up to 8383 bytes (section 4.2.2)."""
    while data:
        tag, size, start = data[0] & 0x3F, data[1], 2
        assert data[0] & 0xC0 == 0xC0
        assert size < 224
        if size >= 192:
            size, start = ((size - 192) << 8) + data[2] + 192, 3
        yield tag, data[start : start + size]
        data = data[start + size :]
