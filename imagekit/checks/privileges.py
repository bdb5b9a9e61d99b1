"""What the processes of a container may do: no more than docs/hardening.md states.

Names and numbers of capabilities are those of capabilities(7) and linux/capability.h; the
fourteen that containers have unless told otherwise are Docker's
(https://docs.docker.com/engine/containers/run/#runtime-privilege-and-linux-capabilities).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

from imagekit.checks.answer import PYTHON, answered
from imagekit.checks.check import CheckFailedError, Data, asking
from imagekit.checks.subject import Subject
from imagekit.wait import Deadline, NotYetError, until

_IN_ORDER = (
    "chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap "
    "linux_immutable net_bind_service net_broadcast net_admin net_raw ipc_lock ipc_owner "
    "sys_module sys_rawio sys_chroot sys_ptrace sys_pacct sys_admin sys_boot sys_nice "
    "sys_resource sys_time sys_tty_config mknod lease audit_write audit_control setfcap "
    "mac_override mac_admin syslog wake_alarm block_suspend audit_read perfmon bpf "
    "checkpoint_restore"
)
_NAMES = tuple(_IN_ORDER.split())
_USUAL = frozenset(
    "chown dac_override fowner fsetid kill setgid setuid setpcap net_bind_service net_raw "  # noqa: SIM905
    "sys_chroot mknod audit_write setfcap".split()
)
_OF_THE_ACCOUNT = frozenset({"desktop", "bridge", "jupyter"})
"""Services that run as the account; supervisord tells each process which one it is of."""

_LOOK_AT = "docs/hardening.md, and `grep Cap /proc/PID/status` in the container"

_SERVICES_SECONDS = 45.0
"""How long the services are waited for."""

# /proc/PID/status and /proc/PID/environ as in proc(5). Root without CAP_SYS_PTRACE may read
# the environment of root's processes only, and that is all that is needed. What `docker exec`
# started descends from no process of the container's.
_SCRIPT = r"""
import glob, json, os
seen = {}
for pid in sorted(int(name) for name in os.listdir("/proc") if name.isdigit()):
    try:
        with open("/proc/%d/status" % pid) as file:
            said = dict(line.partition(":")[::2] for line in file)
        real, effective = map(int, said["Uid"].split()[:2])
        environment = b""
        if real == effective == 0:
            with open("/proc/%d/environ" % pid, "rb") as file:
                environment = file.read()
    except OSError:
        continue
    mark = b"SUPERVISOR_PROCESS_NAME="
    service = [v[len(mark):].decode() for v in environment.split(b"\0") if v.startswith(mark)]
    word = lambda name: said.get(name, "0").split()[0]
    seen[pid] = dict(
        pid=pid, parent=int(word("PPid")), name=said["Name"].strip(), uid=effective,
        service="".join(service), bounding=word("CapBnd"), effective=word("CapEff"),
        permitted=word("CapPrm"), ambient=word("CapAmb"),
        no_new_privileges=word("NoNewPrivs") == "1", seccomp=word("Seccomp"))
for one in seen.values():
    ancestor = one
    while ancestor["pid"] != 1 and ancestor["parent"] in seen:
        ancestor = seen[ancestor["parent"]]
    one["own"] = ancestor["pid"] == 1
first = [one["pid"] for one in seen.values() if one["own"] and one["name"] == "supervisord"]
running = sum(one["parent"] in first for one in seen.values())
planned = len(glob.glob("/run/imagekit/supervisor.d/*.conf"))
print("imagekit:" + json.dumps(dict(
    processes=list(seen.values()), waiting=os.path.exists("/run/imagekit") and (
        not first or running < planned))))
"""


def check(subject: Subject, deadline: Deadline) -> Data:
    """Ask all processes for their capabilities and owners, as soon as the services are up.

    Those that do not come up are for their own checks to tell: what is there is looked at.
    """
    soon = Deadline(min(deadline.at, Deadline.after(_SERVICES_SECONDS).at), deadline.abandoned)

    def services_up() -> None:
        if _look(subject, deadline)["waiting"]:
            raise NotYetError("not all services are up")

    with suppress(TimeoutError):
        until(services_up, soon, pause=0.5)
    own = _own(subject, deadline)
    problems = list(_problems(own))
    # Twice: a process may be seen on its way from root to the account.
    if problems and (problems := _both(problems, _problems(_own(subject, deadline)))):
        raise CheckFailedError(
            "processes with no more rights than docs/hardening.md states",
            "; ".join(problems),
            _LOOK_AT,
        )
    first = own[0]
    return {
        "processes": len(own),
        "of_root": sorted({process["name"] for process in own if process["uid"] == 0}),
        "capabilities": sorted(names(first["bounding"])),
        "no_new_privileges": first["no_new_privileges"],
        "seccomp": first["seccomp"] == "2",
    }


def _own(subject: Subject, deadline: Deadline) -> list[dict[str, Any]]:
    """The container's own processes, the first one first.

    What the engine brings in, `docker exec` above all, begins as root with everything.
    """
    return [one for one in _look(subject, deadline)["processes"] if one["own"]]


def _both(first: Iterable[str], second: Iterable[str]) -> list[str]:
    again = set(second)
    return [text for text in first if text in again]


def _look(subject: Subject, deadline: Deadline) -> dict[str, Any]:
    with asking("the capabilities of all processes", _LOOK_AT):
        code, text = subject.inside.execute(
            (PYTHON, "-c", _SCRIPT), user="root", timeout=deadline.timeout()
        )
        found: dict[str, Any] = answered(code, text)
    return found


def names(mask: str) -> frozenset[str]:
    """The capabilities of a mask in hexadecimal, as /proc has it."""
    bits = int(mask, 16)
    known = {name for number, name in enumerate(_NAMES) if bits >> number & 1}
    beyond = bits >> len(_NAMES)
    return frozenset(known | ({f"others ({beyond:#x})"} if beyond else set()))


def _problems(processes: list[dict[str, Any]]) -> Iterator[str]:
    if more := names(processes[0]["bounding"]) - _USUAL:
        yield f"the container may have {', '.join(sorted(more))} beside Docker's fourteen"
    for process in processes:
        who = f"{process['name']} (process {process['pid']})"
        if process["uid"] == 0:
            if process["service"] in _OF_THE_ACCOUNT:
                yield f"{who} of the service {process['service']} runs as root"
            continue
        kinds = (process["effective"], process["permitted"], process["ambient"])
        if held := frozenset().union(*map(names, kinds)):
            yield f"{who} of user {process['uid']} has {', '.join(sorted(held))}"
