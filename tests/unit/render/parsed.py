"""A Dockerfile as BuildKit's own parser understands it (the package ``dockerfile``).

What that leaves quoted is unquoted here as BuildKit's shell lexer does
(frontend/dockerfile/shell/lex.go).
"""

from __future__ import annotations

import shlex

import dockerfile

from imagekit.context import Context

Parsed = tuple[dockerfile.Command, ...]
Shape = list[tuple[str, tuple[str, ...], int]]


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
