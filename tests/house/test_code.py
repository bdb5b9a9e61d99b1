"""Sizes, printing, and the table of verbs."""

from __future__ import annotations

import ast
import importlib
import io
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from imagekit.cli import VERBS, cli

PACKAGE = Path(__file__).parent.parent.parent / "imagekit"
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if not path.stem.endswith("_pb2"))
LONGEST_MODULE = 350
LONGEST_FUNCTION = 60
# Functions that are longer for a reason, which stands here.
LONG = {
    "engine/buildkit.py:build": "one request from its arguments to its proof; half is docstring",
    "engine/podman.py:build": "its arguments are those of the other; half is docstring",
}

MOST_OPTIONS = 8
# Verbs that have more for a reason, which stands here.
MANY = {
    "build": "what is built, how, how much at once, what becomes of it, and a look into a failure",
    "test": "which image, what is asked of it, what must not be skipped, and four kinds of report",
}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(file: Path) -> Iterator[Function]:
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, Function):
            yield node


def name_of(file: Path) -> str:
    return file.relative_to(PACKAGE).as_posix()


@pytest.mark.parametrize("file", MODULES, ids=name_of)
def test_a_module_has_one_purpose_and_says_it(file: Path) -> None:
    text = file.read_text("utf-8")
    assert text.count("\n") <= LONGEST_MODULE
    assert ast.get_docstring(ast.parse(text))


def test_functions_are_short() -> None:
    long = {
        f"{name_of(file)}:{function.name}"
        for file in MODULES
        for function in functions(file)
        if (function.end_lineno or 0) - function.lineno >= LONGEST_FUNCTION
    }
    assert long == set(LONG)


def test_nobody_below_the_command_line_prints_asks_or_exits() -> None:
    spoken = {"print", "input", "exit", "quit"}
    for file in MODULES:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in spoken, f"{name_of(file)}:{node.lineno}"
                if name_of(file) != "cli.py":
                    assert called not in {"sys.exit", "os._exit"}, f"{name_of(file)}:{node.lineno}"


def test_errors_become_exit_codes_in_one_place() -> None:
    for file in MODULES:
        raised = "SystemExit" in file.read_text("utf-8")
        assert not raised, name_of(file)


def test_no_comment_promises_anything() -> None:
    for file in MODULES:
        for token in tokenize.generate_tokens(io.StringIO(file.read_text("utf-8")).readline):
            if token.type == tokenize.COMMENT:
                words = set(token.string.strip("#:").split())
                assert not words & {"TODO", "FIXME", "XXX", "HACK"}, (name_of(file), token.start)


# ---- verbs


def test_the_table_of_verbs_lists_every_command_and_no_other() -> None:
    defining = {
        file.stem
        for file in (PACKAGE / "commands").glob("*.py")
        if any(function.name == "command" for function in functions(file))
    }
    assert defining == set(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_the_table_of_verbs_says_what_the_verb_says_itself(verb: str) -> None:
    command = importlib.import_module(f"imagekit.commands.{verb}").command
    assert command.help.splitlines()[0] == VERBS[verb]


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_every_verb_explains_itself(verb: str, option: str) -> None:
    result = CliRunner().invoke(cli, [verb, option])
    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: cli {verb} ")


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_is_explained_and_there_are_few(verb: str) -> None:
    command = importlib.import_module(f"imagekit.commands.{verb}").command
    options = [parameter for parameter in command.params if parameter.param_type_name == "option"]
    assert (len(options) > MOST_OPTIONS) == (verb in MANY)
    assert all(option.help and option.help[0].isupper() for option in options)


@pytest.mark.parametrize("verb", VERBS)
def test_what_prints_json_documents_its_shape(verb: str) -> None:
    command = importlib.import_module(f"imagekit.commands.{verb}").command
    if any("--json" in parameter.opts for parameter in command.params):
        assert 'JSON: {"version": 1, ' in command.help
