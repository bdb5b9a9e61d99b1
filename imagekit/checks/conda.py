"""The conda command: there in every kind of session, with its files in the home."""

from __future__ import annotations

import json

from imagekit.checks import ssh
from imagekit.checks.check import CheckFailedError, CheckSkippedError, Data, asking
from imagekit.checks.sshd import session
from imagekit.checks.subject import Subject
from imagekit.wait import Deadline

_COMMAND = ("conda", "info", "--json")
_LOOK_AT = "/usr/local/bin/conda and /etc/conda/.condarc"


def check_conda(subject: Subject, deadline: Deadline) -> Data:
    """`conda info` names folders in the user's home, in the container and over ssh."""
    plan = subject.plan
    if not plan.conda:
        raise CheckSkippedError("the plan has no conda")
    home = f"/home/{plan.user.name}"
    command = ("env", f"HOME={home}", *_COMMAND)
    with asking("conda in the container", _LOOK_AT):
        code, text = subject.inside.execute(
            command, user=plan.user.name, timeout=deadline.timeout()
        )
    found = _info("in the container", code, text)
    for key in ("envs_dirs", "pkgs_dirs"):
        first = next(iter(found.get(key) or ()), "")
        if not str(first).startswith(f"{home}/"):
            raise CheckFailedError(f"conda's {key} below {home}", repr(first), _LOOK_AT)
    if plan.sshd is not None:
        with session(subject, deadline) as transport, asking("conda over ssh", _LOOK_AT):
            output = ssh.run(transport, " ".join(_COMMAND), deadline)
        if _info("over ssh", output.code, output.text)["root_prefix"] != found["root_prefix"]:
            raise CheckFailedError("the same conda over ssh", repr(output.text[-300:]), _LOOK_AT)
    return {
        "conda": str(found["conda_version"]),
        "root_prefix": str(found["root_prefix"]),
        "channels": [str(channel) for channel in found.get("channels", ())],
    }


def _info(where: str, code: int, text: str) -> dict[str, list[str] | str]:
    try:
        found: dict[str, list[str] | str] = json.loads(text)
        wrong = code != 0 or not {"conda_version", "root_prefix"} <= found.keys()
    except ValueError:
        wrong = True
    if wrong:
        got = f"exit code {code} and {text[-300:]!r}"
        raise CheckFailedError(f"`conda info` {where}", got, _LOOK_AT)
    return found
