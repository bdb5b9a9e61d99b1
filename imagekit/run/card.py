"""The card: how a person logs in."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from imagekit.container import Secrets
from imagekit.names import JUPYTER_PORT, SSH_PORT, VNC_PORT, WEB_PORT
from imagekit.run.person import Person

_ANY = "0.0.0.0"  # noqa: S104  (compared with, never bound to)


@dataclass(frozen=True, slots=True)
class Card:
    """What a person has to know.

    Attributes:
        name: the person.
        profile: what the container is.
        state: ``running``, ``exited`` …
        login: the account in it.
        url: the desktop's address, empty without a desktop.
        ssh: the command line, empty without sshd.
        keys_only: whether ssh refuses the account's password.
        jupyter: Jupyter Lab's address, empty without Jupyter.
        vnc: address and port for native VNC viewers, empty without them.
        local_only: whether only this host can reach it.
    """

    name: str
    profile: str
    state: str
    login: str
    url: str
    ssh: str
    keys_only: bool
    jupyter: str
    vnc: str
    local_only: bool

    def lines(self, secrets: Secrets | None = None) -> tuple[str, ...]:
        """The card for people; with the passwords when ``secrets`` are given."""
        ways = {"desktop": self.url, "ssh": self.ssh, "jupyter": self.jupyter, "vnc": self.vnc}
        shown = [f"{self.name} · {self.profile} · {self.state}"]
        for what, way in ways.items():
            if way:
                keys = self._keys(what, secrets) if secrets else {}
                shown.append(f"  {what:<9} {way}")
                shown += [f"  {'':<9} {kind} {secret}" for kind, secret in keys.items() if secret]
        if secrets is None:
            shown.append(f"  passwords imagekit card {self.name} --passwords")
        if self.local_only:
            shown.append("  reachable from this host only; `run: {bind: …}` in site.yaml opens it")
        return tuple(shown)

    def _keys(self, way: str, secrets: Secrets) -> dict[str, str]:
        """What opens a way in: what it is called to what it is; empty where there is none."""
        if way == "desktop":
            return {"password": secrets.desktop_password}
        if way == "ssh":
            own = "" if self.keys_only else secrets.password
            return {"password": own, "root password": secrets.root_password}
        if way == "jupyter":
            return {"token": secrets.jupyter_token}
        if secrets.vnc_password:
            return {"password": secrets.vnc_password}
        # Without a password of its own, VNC goes over TLS and asks for the account's.
        return {f"account {self.login}, password": secrets.password}


def card(person: Person) -> Card:
    """A person's card."""
    own = socket.gethostname() if person.bind in {_ANY, ""} else person.bind
    host = person.host or own
    scheme = "https" if person.tls else "http"
    web, ssh, jupyter = (person.port(port) for port in (WEB_PORT, SSH_PORT, JUPYTER_PORT))
    vnc = person.port(VNC_PORT)
    return Card(
        name=person.name,
        profile=person.profile,
        state=person.state,
        login=person.login,
        url=f"{scheme}://{host}:{web}/" if web else "",
        ssh=f"ssh -p {ssh} {person.login}@{host}" if ssh else "",
        keys_only=person.keys_only,
        jupyter=f"http://{host}:{jupyter}/" if jupyter else "",
        vnc=f"{host}:{vnc}" if vnc else "",
        local_only=person.bind.startswith("127."),
    )
