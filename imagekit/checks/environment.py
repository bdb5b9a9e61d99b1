"""One environment everywhere: every session sees the same, and no secret."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from imagekit.checks.check import AnswerError, CheckFailedError, Data
from imagekit.checks.sessions import Seen, ways
from imagekit.checks.subject import Subject
from imagekit.container import Secrets
from imagekit.plan.model import Plan
from imagekit.wait import Deadline

SHARED = "IMAGEKIT_CHECK"
PRIVATE = "IMAGEKIT_CHECK_TOKEN"
VARIABLES: Mapping[str, str] = {
    SHARED: "你好 'x' $y #1",
    PRIVATE: "imagekit-canary-7f3a",
}
"""What the container under test is started with (``docker run -e``): one variable that every
session gets whole, and one that looks like a secret, which only ``docker exec`` may see."""

COMPARED = "compared"
"""The key of the data that holds what each session had."""

_COMPARED = (
    *("PATH", "LD_LIBRARY_PATH", "CUDA_HOME", "VIRTUAL_ENV", "CONDA_PREFIX"),
    *("LANG", "LANGUAGE", "TZ", SHARED),
)
_LOOK_AT = (
    "/run/imagekit/environment.sh, /run/imagekit/sshd_config, and the start-up files of the "
    "user's shell"
)


def check_environment(subject: Subject, deadline: Deadline) -> Data:
    """Every way into the container gives the same environment, and none gives a secret.

    An image that imagekit did not build has only to be the same everywhere: its variables
    are its own, and its passwords may well have come by them.
    """
    ours = subject.foreign is None
    problems: list[str] = []
    seen: dict[str, Seen] = {}
    for where, ask in ways(subject):
        try:
            seen[where] = ask(deadline)
        except (CheckFailedError, OSError, EOFError, AnswerError) as error:
            problems.append(f"no answer {where}: {error or type(error).__name__}")
    first = next(iter(seen), "")
    for where, session in seen.items():
        if where == first:
            problems += _promises(where, session, subject.plan) if ours else ()
        else:
            problems += _differences(where, session, seen[first])
            if PRIVATE in session.variables:
                problems.append(f"{PRIVATE}, which looks like a secret, is there {where}")
        if ours:
            problems += _leaks(where, session, subject.secrets)
    compared = {COMPARED: _comparison(seen, subject.plan)}
    if problems:
        asked = "one environment in every session"
        look_at = _LOOK_AT if ours else "the start-up files of the shell, and sshd's SetEnv"
        raise CheckFailedError(asked, "; ".join(problems), look_at, compared)
    return {
        "sessions": len(seen),
        "path": seen[first].variables["PATH"],
        "python": seen[first].python,
        **compared,
    }


def _comparison(seen: Mapping[str, Seen], plan: Plan) -> dict[str, dict[str, str | None]]:
    """What each session had, variable by variable: session to value, None where it is not set.

    Of all variables only those that matter here: others may hold what is nobody's business.
    """
    both = {name for session in seen.values() for name in session.variables}
    names = (*_COMPARED, *sorted(name for name in both if name.startswith("LC_")))
    names = (*names, *(name for name, _ in plan.env))
    found = {
        name: {where: session.variables.get(name) for where, session in seen.items()}
        for name in dict.fromkeys(names)
    }
    found["python"] = {where: session.python or None for where, session in seen.items()}
    return {
        name: values
        for name, values in found.items()
        if any(value is not None for value in values.values())
    }


def _promises(where: str, seen: Seen, plan: Plan) -> Iterator[str]:
    """What the plan says of the environment and the first session does not have."""
    wanted = {
        "LANG": plan.locale.lang,
        "TZ": plan.locale.timezone,
        SHARED: VARIABLES[SHARED],
        **dict(plan.env),
    }
    for name, value in wanted.items():
        if seen.variables.get(name) != value:
            yield f"{name} {where} is {_said(seen, name)} and not {value!r}"
    # NVIDIA's own images set it; ours name libraries to the loader, for every process.
    base_sets_it = plan.cuda is not None and plan.cuda.source == "image"
    if "LD_LIBRARY_PATH" in seen.variables and not base_sets_it:
        yield f"LD_LIBRARY_PATH {where} is set"
    if plan.python is not None and seen.prefix != plan.python.prefix:
        yield f"python {where} is of {seen.prefix!r} and not of {plan.python.prefix!r}"


def _differences(where: str, seen: Seen, expected: Seen) -> Iterator[str]:
    """What a session has otherwise than the first one."""
    both = {*seen.variables, *expected.variables}
    for name in (*_COMPARED, *sorted(name for name in both if name.startswith("LC_"))):
        theirs, ours = _compared(expected, name), _compared(seen, name)
        if theirs == ours:
            continue
        folders = [f for f in (theirs or "").split(":") if f not in (ours or "").split(":")]
        if name == "PATH" and folders:
            yield f"PATH {where} lacks {', '.join(folders)}"
        else:
            yield f"{name} {where} is {_said(seen, name)} and not {_said(expected, name)}"
    if (seen.python, seen.prefix) != (expected.python, expected.prefix):
        yield (
            f"python {where} is {seen.python!r} of {seen.prefix!r} and not {expected.python!r} "
            f"of {expected.prefix!r}"
        )


def _compared(seen: Seen, name: str) -> str | None:
    """A variable as sessions have it in common.

    The function `conda`, which interactive shells get, puts its own folder in front of PATH;
    there is nothing else in it (conda/shell/etc/profile.d/conda.sh).
    """
    value = seen.variables.get(name)
    if value is None or name != "PATH":
        return value
    return ":".join(folder for folder in value.split(":") if not folder.endswith("/condabin"))


def _leaks(where: str, seen: Seen, secrets: Secrets) -> Iterator[str]:
    """Variables with a secret in them; what opens nothing does not count."""
    public = {"authorized_keys", "tls_certificate"}
    hidden = {name: text.decode().strip() for name, text in secrets.files().items()}
    for variable, value in seen.variables.items():
        for name, secret in hidden.items():
            if name not in public and secret in value:
                yield f"{variable} {where} holds the secret {name}"


def _said(seen: Seen, name: str) -> str:
    value = seen.variables.get(name)
    return "not set" if value is None else repr(value)
