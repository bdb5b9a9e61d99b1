"""Images that imagekit did not build: their accounts, the way in, and what is asked otherwise."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from imagekit import names
from imagekit.checks import plain
from imagekit.checks.check import Check, CheckSkippedError, Data
from imagekit.checks.subject import Foreign, Subject
from imagekit.checks.told import Told
from imagekit.container import SECRETS_FOLDER, Secrets
from imagekit.errors import Message, WorkFailedError
from imagekit.names import VNC_PORT
from imagekit.plan.model import Plan, Sshd
from imagekit.wait import Deadline

_ROOT = "root"

# Conventions of more than one image: Jupyter Server's own variable
# (https://jupyter-server.readthedocs.io/en/latest/other/full-config.html), and the one of
# fcwu/docker-ubuntu-vnc-desktop and its kin
# (https://github.com/fcwu/docker-ubuntu-vnc-desktop#readme).
_CONVENTIONS = (("JUPYTER_TOKEN", "@jupyter_token"), ("VNC_PASSWORD", "@vnc_password"))

_OTHERWISE: Mapping[str, Callable[[Subject, Deadline], Data]] = {
    "vnc": plain.check_vnc,
    "web": plain.check_web,
    "jupyter": plain.check_jupyter,
}
"""What is asked instead where a check asks for imagekit's own front and paths."""

_THROUGH_THE_PAGE = "it goes through the page of imagekit's own desktop"
_NOT_ASKED: Mapping[str, str] = {
    "input": _THROUGH_THE_PAGE,
    "resize": _THROUGH_THE_PAGE,
    "clipboard": _THROUGH_THE_PAGE,
    "desktop": _THROUGH_THE_PAGE,
    "browser": _THROUGH_THE_PAGE,
    "services": "it asks imagekit's own supervisord",
    "conda": "where conda keeps its files is an arrangement of imagekit's own",
}
"""Why what is imagekit's own is not asked of other images."""

_NO_PASSWORD = "nobody knows the account's password; tell it by --with password-file=FILE"  # noqa: S105
_NO_ROOT = "nobody knows root's password; it is told for --with user=root only"


class Files(Protocol):
    """A container's files; ``Stage`` is one."""

    def fetch(self, path: str) -> bytes:
        """See ``Stage``."""
        ...

    def put(self, archive: bytes) -> None:
        """See ``Stage``."""
        ...


@dataclass(frozen=True, slots=True)
class Account:
    """A line of ``/etc/passwd`` (passwd(5))."""

    name: str
    uid: int
    gid: int
    home: str


def with_conventions(told: Told) -> Told:
    """What was told, with the variables that many images know where nothing else is said."""
    return replace(
        told, environment=tuple({**dict(_CONVENTIONS), **dict(told.environment)}.items())
    )


def known(secrets: Secrets, who: Account, told: Told) -> Secrets:
    """The secrets without the passwords that no account of the image was given."""
    given = dict(told.environment).values()

    def reached(name: str) -> str:
        ways = {f"@{name}", f"{SECRETS_FOLDER}/{name}"}
        return str(getattr(secrets, name)) if ways.intersection(given) else ""

    password = told.password or reached("password")
    root = password if who.name == _ROOT else reached("root_password")
    return replace(secrets, password=password, root_password=root)


def ports(plan: Plan, told: Told) -> dict[int, int]:
    """Imagekit's ports of the plan's services, and the image's own."""
    others = dict(told.ports)
    ours = {*names.ports(plan), *((VNC_PORT,) if VNC_PORT in others else ())}
    return {port: others.get(port, port) for port in sorted(ours)}


def account(files: Files, image: str, plan: Plan, own: str) -> Account:
    """The account that logs in: the plan's, or the one that the image itself runs as.

    Args:
        files: the container's.
        image: how messages name the image.
        plan: an empty name of its user stands for the image's own.
        own: ``Config.User`` of the image: empty, a name or an id, and maybe a group
            (https://github.com/opencontainers/image-spec/blob/main/config.md#properties).

    Raises:
        WorkFailedError: the image runs as an id without an account.
    """
    found = _accounts(files.fetch("/etc/passwd"))
    wanted = plan.user.name or own.partition(":")[0] or _ROOT
    for each in found:
        if wanted in {each.name, str(each.uid)}:
            return each
    if wanted == _ROOT:
        return Account(_ROOT, 0, 0, "/root")
    if wanted.isdecimal():
        what = f"the image runs as the id {wanted}, which has no account in /etc/passwd"
        raise WorkFailedError(Message(image, what, "name one with --with user=NAME"))
    # It may be made when the container starts, as some images do.
    return Account(wanted, plan.user.uid, plan.user.gid, f"/home/{wanted}")


def let_in(files: Files, who: Account, line: str) -> None:
    """Put a public key into the ``authorized_keys`` of an account, and of root.

    Root gets it so that a refusal of root means something.
    """
    root = Account(_ROOT, 0, 0, "/root")
    for each in {who.home: who, root.home: root}.values():
        path = f"{each.home.rstrip('/')}/.ssh/authorized_keys"
        before = files.fetch(path).decode(errors="replace")
        files.put(_key_file(each, f"{before.rstrip()}\n{line}\n".lstrip().encode()))


def adapted(plan: Plan, who: Account, secrets: Secrets, *, by_profile: bool) -> Plan:
    """The plan with what is true of this image and no promise of a profile.

    Root, where it is the account that logs in, has to get in; and where the Python
    environment lies is imagekit's own business.
    """
    sshd, user = plan.sshd, replace(plan.user, name=who.name)
    if not by_profile:
        user = replace(user, uid=who.uid, gid=who.gid)
    if who.name == _ROOT:
        user = replace(user, sudo=False)
        if sshd is not None:
            sshd = Sshd(sshd.password, "password" if secrets.root_password else "keys")
    return replace(plan, user=user, sshd=sshd, python=None)


def ways(plan: Plan, who: Account, told: Told) -> Foreign:
    """How the checks find their way in the image."""
    return Foreign(who.home, ports(plan, told), told.jupyter)


def otherwise(check: Check, plan: Plan, secrets: Secrets) -> Check:
    """The check as it is asked of images of others: the same, a plainer one, or none."""
    if check.name in _OTHERWISE:
        return replace(check, ask=_OTHERWISE[check.name])
    reason = _NOT_ASKED.get(check.name, "")
    if check.name == "sshd-password" and not secrets.password:
        reason = _NO_PASSWORD
    if check.name == "sshd-root" and plan.sshd and plan.sshd.root == "password":
        reason = "" if secrets.root_password else _NO_ROOT
    return replace(check, ask=_skipping(reason)) if reason else check


def _skipping(reason: str) -> Callable[[Subject, Deadline], Data]:
    def ask(_subject: Subject, _deadline: Deadline) -> Data:
        raise CheckSkippedError(reason)

    return ask


def _accounts(passwd: bytes) -> list[Account]:
    rows = [line.split(":") for line in passwd.decode(errors="replace").splitlines()]
    return [
        Account(row[0], int(row[2]), int(row[3]), row[5])
        for row in rows
        if len(row) == 7 and row[2].isdecimal() and row[3].isdecimal()
    ]


def _key_file(who: Account, content: bytes) -> bytes:
    """``~/.ssh`` and its file as a tar archive, as sshd's StrictModes wants them."""
    out = io.BytesIO()
    folder = f"{who.home.strip('/')}/.ssh".lstrip("/")
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        parts = (
            (folder, tarfile.DIRTYPE, 0o700, b""),
            (f"{folder}/authorized_keys", tarfile.REGTYPE, 0o600, content),
        )
        for name, kind, mode, data in parts:
            info = tarfile.TarInfo(name)
            info.type, info.mode, info.uid, info.gid = kind, mode, who.uid, who.gid
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()
