"""The framework on GPUs: it sees all of them, and computes on each what is right."""

from __future__ import annotations

import re
from collections.abc import Iterator

from imagekit.catalogue.versions import at_least
from imagekit.checks import architectures, compute, gpufaults
from imagekit.checks.answer import MARK
from imagekit.checks.check import CheckFailedError, CheckSkippedError, Data, asking
from imagekit.checks.compute import Outcome
from imagekit.checks.framework import interpreter, wanted
from imagekit.checks.nvidia import Facts, facts, given
from imagekit.checks.subject import Subject
from imagekit.plan.model import Cuda, Framework
from imagekit.wait import Deadline

_LOOK_AT = "the checks gpu and cuda, and CUDA_VISIBLE_DEVICES in the container"
# What frameworks say of the libraries that they miss, before they say that there is no GPU.
_WARNINGS = re.compile(r"dlopen|dynamic library|CUDA|driver", re.IGNORECASE)
_MOST_WARNINGS = 3


def check_framework_gpu(subject: Subject, deadline: Deadline) -> Data:
    """A matrix product and a convolution on each GPU that the container was given."""
    plan = subject.plan
    framework = wanted(plan)
    cuda = plan.cuda
    if cuda is None:
        raise CheckSkippedError("the plan has no CUDA")
    given(subject)
    found = facts(subject, deadline)
    asked = f"{framework.name} {framework.release} on {_counted(found)}"
    look_at = (
        "the time it takes: a GPU newer than the framework's wheel has its code translated by "
        "the driver, once, for minutes; and `nvidia-smi` on the host"
    )
    with asking(asked, look_at):
        code, text = subject.inside.execute(
            compute.command(interpreter(plan), framework.name),
            user=plan.user.name,
            timeout=deadline.timeout(),
        )
    outcome = compute.read(text)
    if code != 0 or outcome is None:
        raise _failure(asked, f"exit code {code} and {gpufaults.last_words(text)!r}", text, found)
    _check_count(asked, outcome, text, found)
    troubles = [device.trouble for device in outcome.devices if device.trouble]
    if troubles:
        why = [*troubles, *_unsupported(framework, outcome, found)]
        raise _failure(asked, "; ".join(why), "; ".join(troubles), found)
    return {
        "devices": [
            {"device": one.device, "name": one.name, "seconds": one.seconds}
            for one in outcome.devices
        ],
        "version": outcome.version,
        "architectures": list(outcome.architectures),
        "notes": [*_unsupported(framework, outcome, found), *_promises(cuda, outcome)],
        **found.label(),
    }


def _counted(found: Facts) -> str:
    count = len(found.usable)
    return f"each of {count} GPUs" if count > 1 else "the GPU"


def _check_count(asked: str, outcome: Outcome, text: str, found: Facts) -> None:
    """Whether the framework sees as many devices as there are.

    Of MIG devices a process sees one, however many there are (MIG User Guide, "CUDA Device
    Enumeration").
    """
    most = len(found.usable)
    cut_up = any(device.parent for device in found.devices)
    least = 1 if cut_up else most
    if least <= len(outcome.devices) <= most:
        return
    names = ", ".join(device.device for device in outcome.devices) or "none"
    got = f"{len(outcome.devices)} of {most} devices ({names})"
    warnings = [line.strip() for line in text.splitlines() if _WARNINGS.search(line)]
    warnings = [line for line in warnings if not line.startswith(MARK)][:_MOST_WARNINGS]
    raise _failure(asked, "; ".join([got, *warnings]), text, found)


def _failure(asked: str, got: str, text: str, found: Facts) -> CheckFailedError:
    fault = gpufaults.find(gpufaults.IN_FRAMEWORK, text)
    if fault is None:
        return CheckFailedError(asked, got, _LOOK_AT, found.label())
    return CheckFailedError(asked, f"{got}: {fault.cause}", fault.remedy, found.label())


def _unsupported(framework: Framework, outcome: Outcome, found: Facts) -> Iterator[str]:
    """The GPUs for which the framework's binaries have no code, where they say for which."""
    if not architectures.lowest(outcome.architectures):
        return
    for gpu in found.gpus:
        cc = found.hardware(gpu).cc
        if cc and not architectures.covers(outcome.architectures, cc):
            yield (
                f"{framework.name} {outcome.version} was built for "
                f"{', '.join(outcome.architectures)}, and {gpu.name} has compute capability {cc}"
            )


def _promises(cuda: Cuda, outcome: Outcome) -> Iterator[str]:
    """Where the plan, and with it the image's label, promises more than the binaries keep."""
    lowest = architectures.lowest(outcome.architectures)
    if lowest and cuda.cc_min and not at_least(cuda.cc_min, lowest):
        yield (
            f"the plan says from compute capability {cuda.cc_min} on, and the framework was "
            f"built from {lowest} on"
        )
    built_for = outcome.architectures
    if lowest and cuda.cc_max and not architectures.covers(built_for, cuda.cc_max):
        yield (
            f"the plan says up to compute capability {cuda.cc_max}, and the framework was built "
            f"for {', '.join(built_for)}"
        )
