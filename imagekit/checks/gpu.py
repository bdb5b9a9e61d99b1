"""GPUs: those that were asked for, the same ones in every kind of session, and good enough."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from imagekit.catalogue.hardware import Hardware, Needs, misfits
from imagekit.checks import gpufaults, sessions
from imagekit.checks.check import AnswerError, CheckFailedError, Data
from imagekit.checks.nvidia import LIST, Device, Facts, called, facts, given, listed
from imagekit.checks.subject import Gpus, Subject
from imagekit.plan.needs import needs
from imagekit.wait import Deadline

# Where people work; each asks the driver anew, which may take seconds for each GPU.
_WHERE = frozenset(
    {
        sessions.COMMAND_OVER_SSH,
        sessions.LOGIN_OVER_SSH,
        sessions.DESKTOP_TERMINAL,
        sessions.KERNEL,
    }
)
_SESSIONS = (
    "PATH of that session, /run/imagekit/environment.sh, and /run/imagekit/sshd_config for ssh"
)


def check_gpu(subject: Subject, deadline: Deadline) -> Data:
    """nvidia-smi lists what was asked for, everywhere; the driver and the GPUs run the plan."""
    given(subject)
    found = facts(subject, deadline)
    label = found.label()
    problems = list(_not_as_asked(found, subject.gpus))
    if problems:
        raise CheckFailedError(called(subject.gpus), "; ".join(problems), gpufaults.TOOLKIT, label)
    where = list(_elsewhere(subject, found, deadline))
    wanted = needs(subject.plan)
    notes: list[str] = []
    if wanted is not None:
        _check_hardware(wanted, found)
        notes = list(_notes(wanted, found))
    return {
        "gpus": [_described(found, gpu) for gpu in found.gpus],
        "mig": [
            {"uuid": device.uuid, "name": device.name, "gpu": device.parent}
            for device in found.devices
            if device.parent
        ],
        "sessions": [sessions.EXECUTE, *where],
        "notes": notes,
        **label,
    }


def _described(found: Facts, gpu: Device) -> dict[str, str]:
    known = found.hardware(gpu)
    return {
        "uuid": gpu.uuid,
        "name": gpu.name,
        "driver": known.driver,
        "compute_capability": known.cc,
    }


def _not_as_asked(found: Facts, gpus: Gpus) -> Iterator[str]:
    """How what is there differs from what was asked for."""
    if gpus.asked == "all":
        if len(found.gpus) < gpus.on_host:
            yield f"{len(found.gpus)} of the {gpus.on_host} GPUs that the host's driver runs"
        return
    asked = [uuid.lower() for uuid in gpus.asked.split(",")]
    if not all(uuid.startswith(("gpu-", "mig-")) for uuid in asked):  # by number, for instance
        if len(found.usable) < len(asked):
            yield f"{len(found.usable)} of {len(asked)}"
        return
    there = {device.uuid.lower() for device in found.devices}
    if absent := [uuid for uuid in gpus.asked.split(",") if uuid.lower() not in there]:
        yield f"no {', '.join(absent)}"
    # Of a GPU that is cut up all MIG devices are given with it.
    more = [
        device.uuid
        for device in found.usable
        if device.uuid.lower() not in asked and device.parent.lower() not in asked
    ]
    if more:
        yield f"{', '.join(more)}, which nobody asked for"


def _elsewhere(subject: Subject, found: Facts, deadline: Deadline) -> Iterator[str]:
    """The sessions beside docker exec, all of which list the same devices."""
    for where, ask in sessions.everywhere(subject, LIST):
        if where not in _WHERE:
            continue
        asked = f"nvidia-smi {where}"
        try:
            code, text = ask(deadline)
        except (OSError, EOFError, AnswerError) as error:
            got = str(error) or type(error).__name__
            raise CheckFailedError(asked, got, _SESSIONS, found.label()) from error
        devices = listed(code, text, where, found.label())
        if devices != found.devices:
            names = ", ".join(device.uuid for device in devices)
            expected = ", ".join(device.uuid for device in found.devices)
            raise CheckFailedError(
                f"the same GPUs {where} as in docker exec, {expected}",
                names,
                _SESSIONS,
                found.label(),
            )
        yield where


def _check_hardware(wanted: Needs, found: Facts) -> None:
    """Whether the driver and each GPU run what the plan has, by the catalogue."""
    reasons: dict[str, str] = {}
    too_old = False
    for gpu in found.gpus:
        known = found.hardware(gpu)
        # Apart: that a driver has given up a GPU is not said of one that it lists.
        driver = () if found.compat else misfits(wanted, replace(known, cc=""))
        too_old = too_old or bool(driver)
        for reason in (*driver, *misfits(wanted, replace(known, driver=""))):
            reasons.setdefault(reason, str(known))
    if not reasons:
        return
    got = "; ".join(f"{known}: {reason}" for reason, known in reasons.items())
    options = " ".join(_options(found))
    look_at = f"`imagekit list {options}`, which marks the profiles that run there"
    if too_old:
        look_at = (
            f"the host: its administrator installs NVIDIA's driver {wanted.driver_min} or newer "
            f"and reboots it; or {look_at}"
        )
    raise CheckFailedError(f"hardware that runs {wanted.subject}", got, look_at, found.label())


def _options(found: Facts) -> Iterator[str]:
    first: Hardware = found.hardware(found.gpus[0])
    if first.cc:
        yield f"--gpu {first.cc}"
    if first.driver:
        yield f"--driver {first.driver}"


def _notes(wanted: Needs, found: Facts) -> Iterator[str]:
    """What could not be judged, and what was judged otherwise."""
    for gpu in found.gpus:
        driver, cc = found.rows.get(gpu.uuid, ("", ""))
        known = found.hardware(gpu)
        if not known.driver:
            yield f"{gpu.uuid}: nvidia-smi tells no driver version ({driver!r})"
        if not known.cc:
            yield f"{gpu.uuid}: its compute capability is not known ({cc!r})"
        elif known.cc != cc:
            yield f"{gpu.uuid}: its compute capability is the catalogue's for {gpu.name}"
        if found.compat and misfits(wanted, replace(known, cc="")):
            yield f"driver {known.driver} is old, and the image brings newer libraries for it"
