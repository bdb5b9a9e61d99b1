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
        url: the desktop's address, empty without a desktop.
        ssh: the command line, empty without sshd.
        jupyter: Jupyter Lab's address, empty without Jupyter.
        vnc: address and port for native VNC viewers, empty without them.
        local_only: whether only this host can reach it.
    """

    name: str
    profile: str
    state: str
    url: str
    ssh: str
    jupyter: str
    vnc: str
    local_only: bool

    def lines(self, secrets: Secrets | None = None) -> tuple[str, ...]:
        """The card for people; with the passwords when ``secrets`` are given."""
        rows = [
            ("desktop", self.url, "password", secrets.desktop_password if secrets else ""),
            ("ssh", self.ssh, "password", secrets.password if secrets else ""),
            ("jupyter", self.jupyter, "token", secrets.jupyter_token if secrets else ""),
            ("vnc", self.vnc, "password", secrets.vnc_password if secrets else ""),
        ]
        shown = [f"{self.name} · {self.profile} · {self.state}"]
        for what, way, kind, secret in rows:
            if way:
                shown.append(f"  {what:<9} {way}")
            if way and secret:
                shown.append(f"  {'':<9} {kind} {secret}")
        if secrets is None:
            shown.append(f"  passwords imagekit card {self.name} --passwords")
        if self.local_only:
            shown.append("  reachable from this host only; `run: {bind: …}` in site.yaml opens it")
        return tuple(shown)


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
        url=f"{scheme}://{host}:{web}/" if web else "",
        ssh=f"ssh -p {ssh} {person.login}@{host}" if ssh else "",
        jupyter=f"http://{host}:{jupyter}/" if jupyter else "",
        vnc=f"{host}:{vnc}" if vnc else "",
        local_only=person.bind.startswith("127."),
    )
