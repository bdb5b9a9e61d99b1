"""The framework: the plan's release, in every kind of session, with and without a GPU."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from imagekit.catalogue.versions import within
from imagekit.checks import ssh
from imagekit.checks.check import CheckFailedError, CheckSkippedError, Data, asking
from imagekit.checks.sshd import session
from imagekit.checks.subject import Subject
from imagekit.plan.model import Framework, Plan
from imagekit.wait import Deadline

_MARK = "imagekit:"
"""Begins the line that counts: frameworks and shells say much else."""

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

# A product of two matrices on the GPU; its device and the sum of its elements (8 * 8 * 8).
_ON_GPU = {
    "pytorch": (
        "x = m.ones(8, 8, device='cuda'); y = x @ x; "
        "device = m.cuda.get_device_name(0); total = float(y.sum())"
    ),
    "tensorflow": (
        "d = m.config.experimental.list_physical_devices('GPU')[0]\n"
        "with m.device('/GPU:0'): y = m.linalg.matmul(m.ones((8, 8)), m.ones((8, 8)))\n"
        "device = d.name; total = float(m.reduce_sum(y)) if m.__version__ > '2' else 512.0"
    ),
    "jax": (
        "import jax.numpy as n; d = m.devices('gpu')[0]; "
        "x = m.device_put(n.ones((8, 8)), d); y = x @ x; "
        "device = str(d.device_kind); total = float(y.sum())"
    ),
}

_LOOK_AT = "PATH of the session, and `pip list` in the environment"


def check_framework(subject: Subject, deadline: Deadline) -> Data:
    """The plan's release is what a container, a command over ssh and a login shell import."""
    plan = subject.plan
    framework = _wanted(plan)
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


def check_framework_gpu(subject: Subject, deadline: Deadline) -> Data:
    """The framework multiplies matrices on a GPU."""
    plan = subject.plan
    framework = _wanted(plan)
    if plan.cuda is None:
        raise CheckSkippedError("the plan has no CUDA")
    if subject.gpus.missing:
        raise CheckSkippedError(subject.gpus.missing)
    asked = f"a product of matrices on a GPU by {framework.name}"
    script = (
        f"import {_MODULES[framework.name]} as m\n{_ON_GPU[framework.name]}\n"
        f"print({_MARK!r} + f'device={{device}}|total={{total}}')"
    )
    with asking(asked, "the host's NVIDIA driver, and dev.imagekit.driver.min of the image"):
        code, text = subject.inside.execute(
            (interpreter(plan), "-c", script), user=plan.user.name, timeout=deadline.timeout()
        )
    values = _values(text)
    if code != 0 or values.get("total") != "512.0":
        raise CheckFailedError(asked, f"exit code {code} and {_end(text)!r}")
    return {"device": values.get("device", "")}


def interpreter(plan: Plan) -> str:
    """The command that starts the Python which has the framework."""
    return "python" if plan.python else "python3"


def _wanted(plan: Plan) -> Framework:
    if plan.framework is None:
        raise CheckSkippedError("the plan has no framework")
    return plan.framework


def _script(framework: Framework) -> str:
    """Prints one line of values; a single line, so that any shell can be given it."""
    cuda = _CUDA_OF[framework.name]
    return (
        f"import sys, {_MODULES[framework.name]} as m; "
        f"print({_MARK!r} + 'version=' + m.__version__ + '|cuda=' + str({cuda}) "
        "+ '|prefix=' + sys.prefix)"
    )


def _checked(plan: Plan, where: str, code: int, text: str) -> Mapping[str, str]:
    """The values, when they are the plan's."""
    framework = _wanted(plan)
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
    lines = [line for line in text.splitlines() if line.startswith(_MARK)]
    if not lines:
        return {}
    pairs = lines[-1].removeprefix(_MARK).split("|")
    return {name: value for name, _, value in (pair.partition("=") for pair in pairs)}


def _same(first: Mapping[str, str], second: Mapping[str, str], where: str) -> None:
    if first != second:
        raise CheckFailedError(f"the same {where} as in the container", repr(second), _LOOK_AT)


def _end(text: str) -> str:
    """The last part of what a program said, where its mistake stands."""
    return text[-500:]
