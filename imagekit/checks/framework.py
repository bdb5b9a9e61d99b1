"""The framework: the plan's release, in every kind of session."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from imagekit.catalogue.versions import within
from imagekit.checks import ssh
from imagekit.checks.answer import MARK
from imagekit.checks.check import CheckFailedError, CheckSkippedError, Data, asking
from imagekit.checks.sshd import session
from imagekit.checks.subject import Subject
from imagekit.plan.model import Framework, Plan
from imagekit.wait import Deadline

# The module's version, the CUDA that it was built for, and where it lies.
# torch.version.cuda; tf.sysconfig.get_build_info(); jaxlib says nothing of the kind.
_CUDA_OF = {
    "pytorch": "m.version.cuda or ''",
    "tensorflow": (
        "m.sysconfig.get_build_info().get('cuda_version', '') "
        "if hasattr(m.sysconfig, 'get_build_info') else ''"
    ),
    "jax": "''",
}
_MODULES = {"pytorch": "torch", "tensorflow": "tensorflow", "jax": "jax"}

_LOOK_AT = "PATH of the session, and `pip list` in the environment"


def check_framework(subject: Subject, deadline: Deadline) -> Data:
    """The plan's release is what a container, a command over ssh and a login shell import."""
    plan = subject.plan
    framework = wanted(plan)
    python = interpreter(plan)
    script = _script(framework)
    with asking(f"{framework.name} in the container", _LOOK_AT):
        code, text = subject.inside.execute(
            (python, "-c", script), user=plan.user.name, timeout=deadline.timeout()
        )
    found = _checked(plan, "in the container", code, text)
    if plan.sshd is not None:
        command = shlex.join((python, "-c", script))
        with session(subject, deadline) as transport:
            with asking(f"{framework.name} over ssh", _LOOK_AT):
                output = ssh.run(transport, command, deadline)
            _same(found, _checked(plan, "over ssh", output.code, output.text), "over ssh")
            with asking(f"{framework.name} in a login shell", _LOOK_AT):
                output = ssh.run_in_login_shell(transport, f"{command}\n", deadline)
            again = _checked(plan, "in a login shell", output.code, output.text)
            _same(found, again, "in a login shell")
    return {"framework": framework.name, **found}


def interpreter(plan: Plan) -> str:
    """The command that starts the Python which has the framework."""
    return "python" if plan.python else "python3"


def wanted(plan: Plan) -> Framework:
    """The plan's framework.

    Raises:
        CheckSkippedError: it has none.
    """
    if plan.framework is None:
        raise CheckSkippedError("the plan has no framework")
    return plan.framework


def _script(framework: Framework) -> str:
    """Prints one line of values; a single line, so that any shell can be given it."""
    cuda = _CUDA_OF[framework.name]
    return (
        f"import sys, {_MODULES[framework.name]} as m; "
        f"print({MARK!r} + 'version=' + m.__version__ + '|cuda=' + str({cuda}) "
        "+ '|prefix=' + sys.prefix)"
    )


def _checked(plan: Plan, where: str, code: int, text: str) -> Mapping[str, str]:
    """The values, when they are the plan's."""
    framework = wanted(plan)
    values = _values(text)
    asked = f"{framework.name} {framework.release} {where}"
    if code != 0 or not values:
        raise CheckFailedError(asked, f"exit code {code} and {_end(text)!r}", _LOOK_AT)
    # PyTorch's own builds have a local version, such as 2.10.0+cu128.
    if values.get("version", "").partition("+")[0] != framework.release:
        raise CheckFailedError(asked, repr(values.get("version")), _LOOK_AT)
    if plan.python is not None and values.get("prefix") != plan.python.prefix:
        raise CheckFailedError(
            f"the Python of {plan.python.prefix} {where}", repr(values.get("prefix")), _LOOK_AT
        )
    built_for = values.get("cuda", "")
    if built_for and plan.cuda is not None and not within(built_for, plan.cuda.version):
        raise CheckFailedError(
            f"{framework.name} built for CUDA {plan.cuda.version}", built_for, "the plan's index"
        )
    return values


def _values(text: str) -> dict[str, str]:
    lines = [line for line in text.splitlines() if line.startswith(MARK)]
    if not lines:
        return {}
    pairs = lines[-1].removeprefix(MARK).split("|")
    return {name: value for name, _, value in (pair.partition("=") for pair in pairs)}


def _same(first: Mapping[str, str], second: Mapping[str, str], where: str) -> None:
    if first != second:
        raise CheckFailedError(f"the same {where} as in the container", repr(second), _LOOK_AT)


def _end(text: str) -> str:
    """The last part of what a program said, where its mistake stands."""
    return text[-500:]
