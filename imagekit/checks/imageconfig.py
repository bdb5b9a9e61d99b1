"""What everyone who has an image can read without looking into it, and should be no secret.

Nothing of what is found is repeated, only where it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from imagekit.checks.subject import ImageConfig
from imagekit.secrecy import looks_secret

# Docker's own Python images have the fingerprint of a public key under this name
# (https://github.com/docker-library/python/blob/master/Dockerfile-linux.template).
_PUBLIC = frozenset({"GPG_KEY"})

# What is recognised by its form. A dollar sign stands for a variable, whose value the
# history does not have. Steps can be long: no pattern begins with a repetition that has no end.
_FORMS = {
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    # https://docs.github.com/authentication/keeping-your-account-and-data-secure/about-authentication-to-github#githubs-token-formats
    "a GitHub token": re.compile(r"\b(gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{60})"),
    # https://docs.gitlab.com/security/tokens/#token-prefixes
    "a GitLab token": re.compile(r"\bgl(pat|dt|rt|cbt)-[A-Za-z0-9_-]{20}"),
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
    "an AWS access key": re.compile(r"\b(AKIA|ASIA)[A-Z0-9]{16}\b"),
    # https://huggingface.co/docs/hub/security-tokens
    "a Hugging Face token": re.compile(r"\bhf_[A-Za-z0-9]{34}\b"),
    "a password in an address": re.compile(r"\b[a-z][a-z0-9+.-]{,30}://[^\s/:@$]+:[^\s/@$]+@"),
}

# Commands that hand a password over in words, as the tutorials have them; chpasswd(8),
# passwd(1), usermod(8), vncpasswd(1), x11vnc(1).
_BEFORE = r"(sudo\s+)?(/[\w./-]*/)?"
_COMMANDS = {
    "a password for chpasswd": re.compile(
        rf"[\w.-]:[^\s:$%][^\s:$]*\s*\|\s*{_BEFORE}chpasswd\b"
        r"|chpasswd\s*<<<\s*[\"']?[\w.-]+:[^\s:$]"
    ),
    "a password for passwd": re.compile(
        rf"(echo|printf)\s[^|;&$]{{,500}}\|\s*{_BEFORE}(vnc)?passwd\b|-storepasswd\s+[^\s$/-]"
    ),
    "a password's hash": re.compile(r"\$(1|2[aby]|5|6|y|gy)\$[./A-Za-z0-9$=,]{20}"),
}

# `|2 A=b C=d /bin/sh -c …`: the build arguments of a step, whichever its shell is; and ARG and
# ENV themselves, which can have several names.
_ARGUMENTS = re.compile(r"^(?:RUN )?\|(\d{1,4}) ")
_INSTRUCTION = re.compile(r"^(?:/bin/sh -c #\(nop\)\s*)?(?:ARG|(ENV))\s+")
_ASSIGNED = re.compile(r"(?<!\S)([A-Za-z_][A-Za-z0-9_]*)=(\S*)")
_BY_A_SPACE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*) (\S+)")  # `ENV A b`, which has one name
_EMPTY = frozenset({"", '""', "''"})


def leaks(config: ImageConfig) -> Iterator[str]:
    """What looks secret, each with the place where it can be read."""
    for name, value in config.environment:
        if value and name not in _PUBLIC and looks_secret(name):
            yield f"the variable {name} of the image, which looks like a secret"
        for what in _recognised(value):
            yield f"{what} in the variable {name} of the image"
    for name, value in config.labels:
        if value and looks_secret(re.sub(r"[^A-Za-z0-9]+", "_", name)):
            yield f"the label {name}, which looks like a secret"
        for what in _recognised(value):
            yield f"{what} in the label {name}"
    for number, step in enumerate(config.history, start=1):
        for what in dict.fromkeys(_of_step(step.made_by)):
            yield f"{what} in step {number} of the image's history"


def _recognised(text: str) -> Iterator[str]:
    return (what for what, form in _FORMS.items() if form.search(text))


def _of_step(text: str) -> Iterator[str]:
    yield from _recognised(text)
    yield from (what for what, form in _COMMANDS.items() if form.search(text))
    for name, value in _assigned(text):
        if value not in _EMPTY and name not in _PUBLIC and looks_secret(name):
            yield f"a value of {name}, which looks like a secret,"


def _assigned(text: str) -> Iterator[tuple[str, str]]:
    """The names that a step gives values to, beside what its command does."""
    if given := _ARGUMENTS.match(text):
        pairs = _ASSIGNED.finditer(text, given.end())
        yield from ((pair[1], pair[2]) for pair in islice(pairs, int(given[1])))
    elif instruction := _INSTRUCTION.match(text):
        alone = _BY_A_SPACE.match(text, instruction.end()) if instruction[1] else None
        pairs = _ASSIGNED.finditer(text, instruction.end())
        yield from ((pair[1], pair[2]) for pair in ([alone] if alone else pairs))
