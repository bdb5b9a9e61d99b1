"""The account: who it is, its home, its shell, and whether it is root when it has to be."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

from imagekit.checks import ssh
from imagekit.checks.answer import PYTHON, answered
from imagekit.checks.check import CheckFailedError, Data, asking
from imagekit.checks.sshd import session
from imagekit.checks.subject import Subject
from imagekit.plan.model import Plan
from imagekit.wait import Deadline

_LOOK_AT = "/etc/passwd, /etc/sudoers.d, and /usr/lib/imagekit/start.d/10-account"

# Groups by which an account is root, or as good as that, on Debian and Ubuntu.
_MIGHTY = frozenset("root sudo admin wheel disk shadow docker lxd".split())  # noqa: SIM905

_OTHERS_WRITE = 0o002
_OWNER = 0o700

# Runs on Python 3.6, as the account.
_SCRIPT = r"""
import grp, json, os, pwd, subprocess, tempfile
me = pwd.getpwuid(os.getuid())
umask = os.umask(0o077)
os.umask(umask)

def group(number):
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)

def run(*command):
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, universal_newlines=True)
    except OSError as error:
        return [127, str(error)]
    return [done.returncode, done.stdout[-300:]]

def write():
    try:
        with tempfile.NamedTemporaryFile(dir=me.pw_dir, prefix=".imagekit-check-") as file:
            file.write(b"imagekit")
            file.flush()
            with open(file.name, "rb") as again:
                return "" if again.read() == b"imagekit" else "another text comes back"
    except OSError as error:
        return str(error)

foreign, seen = [], 0
for folder, folders, names in os.walk(me.pw_dir):
    for path in [folder] + [os.path.join(folder, name) for name in folders + names]:
        try:
            if os.lstat(path).st_uid != me.pw_uid and path not in foreign:
                foreign.append(path)
        except OSError:
            continue
    seen += len(names)
    if seen > 20000:
        break
home = os.stat(me.pw_dir)
print("imagekit:" + json.dumps(dict(
    name=me.pw_name, uid=me.pw_uid, gid=os.getgid(), groups=sorted(map(group, os.getgroups())),
    home=me.pw_dir, mode=home.st_mode & 0o777, foreign=foreign[:5], write=write(),
    shell=me.pw_shell, starts=run(me.pw_shell, "-c", "echo imagekit-shell"),
    sudo=run("sudo", "-n", "id", "-u"), umask=umask)))
"""


def check_user(subject: Subject, deadline: Deadline) -> Data:
    """The account is the plan's, owns and writes its home, and is root by sudo or cannot be.

    Asked in the container and over ssh, where umask and sudo have to be the same.
    """
    plan = subject.plan
    name = plan.user.name
    with asking(f"a command of {name}", _LOOK_AT):
        code, text = subject.inside.execute(
            (PYTHON, "-c", _SCRIPT), user=name, timeout=deadline.timeout()
        )
    found = _found("in the container", code, text)
    problems = [
        *_identity(plan, found),
        *_home(subject.home, found),
        *_shell(plan, found),
        *_sudo(plan, found),
    ]
    if plan.sshd is not None:
        with session(subject, deadline) as transport, asking(f"a command of {name} over ssh"):
            command = f"{PYTHON} -c {shlex.quote(_SCRIPT)}"
            output = ssh.run(transport, command, deadline)
        again = _found("over ssh", output.code, output.text)
        problems += _umask(again, " over ssh")
        if again["sudo"][0] != found["sudo"][0]:
            problems.append(f"sudo over ssh: {_said(again['sudo'])}")
    problems += _umask(found, "")
    if problems:
        raise CheckFailedError(f"the account {name} as planned", "; ".join(problems), _LOOK_AT)
    return {
        "uid": found["uid"],
        "gid": found["gid"],
        "groups": found["groups"],
        "shell": found["shell"],
        "home": f"{found['home']} ({found['mode']:04o})",
        "umask": f"{found['umask']:04o}",
        "sudo": found["sudo"][0] == 0,
    }


def _found(where: str, code: int, text: str) -> dict[str, Any]:
    with asking(f"what the account is {where}", _LOOK_AT):
        found: dict[str, Any] = answered(code, text)
    return found


def _identity(plan: Plan, found: dict[str, Any]) -> Iterator[str]:
    wanted = {"name": plan.user.name, "uid": plan.user.uid, "gid": plan.user.gid}
    for what, value in wanted.items():
        if found[what] != value:
            yield f"{what} {found[what]!r} instead of {value!r}"
    if absent := sorted({*plan.user.groups} - {*found["groups"]}):
        yield f"not in the groups {', '.join(absent)}"


def _home(home: str, found: dict[str, Any]) -> Iterator[str]:
    if found["home"] != home:
        yield f"the home {found['home']} instead of {home}"
    if found["write"]:
        yield f"the home cannot be written: {found['write']}"
    if found["foreign"]:
        yield f"somebody else's files in the home: {', '.join(found['foreign'])}"
    if found["mode"] & _OTHERS_WRITE or found["mode"] & _OWNER != _OWNER:
        yield f"a home of mode {found['mode']:04o}"


def _shell(plan: Plan, found: dict[str, Any]) -> Iterator[str]:
    if found["shell"].rpartition("/")[2] != plan.user.shell:
        yield f"the shell {found['shell']!r} instead of {plan.user.shell}"
    code, text = found["starts"]
    if code != 0 or "imagekit-shell" not in text:
        yield f"the shell {found['shell']} does not run a command: {_said(found['starts'])}"


def _sudo(plan: Plan, found: dict[str, Any]) -> Iterator[str]:
    """Sudo makes root of the account without a question, or does not at all."""
    code, text = found["sudo"]
    is_root = code == 0 and text.split()[-1:] == ["0"]
    if plan.user.sudo and not is_root:
        yield f"`sudo -n id -u` does not give 0: {_said(found['sudo'])}"
    if not plan.user.sudo:
        if is_root:
            yield "`sudo -n id -u` gives 0 (user.sudo is false)"
        if mighty := sorted((_MIGHTY & {*found["groups"]}) - {*plan.user.groups}):
            yield f"in the groups {', '.join(mighty)} (user.sudo is false)"


def _umask(found: dict[str, Any], where: str) -> Iterator[str]:
    umask = found["umask"]
    if umask & _OWNER or not umask & _OTHERS_WRITE:
        yield f"the umask {umask:04o}{where}, by which {_wrong(umask)}"


def _wrong(umask: int) -> str:
    return "it cannot use its own files" if umask & _OWNER else "everyone may write its files"


def _said(answer: list[Any]) -> str:
    return f"exit code {answer[0]} and {answer[1].strip()!r}"
