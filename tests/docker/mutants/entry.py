"""Who gets in, and who does not: ssh, the page, its WebSocket, and viewers of VNC's own."""

from __future__ import annotations

from dataclasses import replace

from imagekit.plan.model import Plan
from tests.docker.mutants.mutant import HEADLESS, SSH, Mutant

_START = "/usr/lib/imagekit/start.d"
_SSHD = f"{_START}/30-sshd"
_FRONT = "/etc/imagekit/front"
_DESKTOP = f"{_START}/50-desktop"


def _with_viewers(plan: Plan) -> Plan:
    """Native viewers get in with a password of their own."""
    assert plan.desktop is not None
    return replace(plan, desktop=replace(plan.desktop, vnc="password"))


MUTANTS = (
    # ---- ssh
    Mutant(
        "sshd's configuration has a typo",
        f"RUN sed -i 's/^UsePAM /UsePAMM /' {_SSHD}",
        "sshd",
        ("Bad configuration option: UsePAMM",),
        everyday=True,
    ),
    Mutant(
        "host keys cannot be made",
        "RUN rm /usr/bin/ssh-keygen",
        "sshd",
        ("ssh-keygen: not found",),
        base=SSH,
    ),
    Mutant(
        "/run/sshd is removed, and not made at start",
        f"RUN rm -r /run/sshd && sed -i 's#install -d -m 0755 /run/sshd#true#' {_SSHD}",
        "sshd",
        ("Missing privilege separation directory: /run/sshd",),
        base=SSH,
    ),
    Mutant(
        "the key of the person is looked for elsewhere",
        f"RUN sed -i 's#authorized_keys.d/%u$#keys.d/%u#' {_SSHD}",
        "sshd",
        ("a login of lab with the key in authorized_keys", "a refusal"),
    ),
    Mutant(
        "the person's account has no shell to log in to",
        "RUN usermod --shell /usr/sbin/nologin lab",
        "sshd",
        ("This account is currently not available",),
        base=SSH,
    ),
    Mutant(
        "the password does not open ssh",
        f"RUN sed -i 's/^ *accept=yes/accept=no/' {_SSHD}",
        "sshd-password",
        ("a login of lab with the generated password", "a refusal"),
        base=SSH,
    ),
    Mutant(
        "any password opens ssh",
        "RUN sed -i '1i auth sufficient pam_permit.so' /etc/pam.d/sshd",
        "sshd-password",
        ("a refusal of a wrong password for lab", "/etc/pam.d/sshd"),
        everyday=True,
    ),
    Mutant(
        "root may log in",
        (
            "RUN sed -i -e 's/^PermitRootLogin .*/PermitRootLogin yes/' "
            f"-e 's#authorized_keys.d/%u#authorized_keys.d/lab#' {_SSHD}"
        ),
        "sshd-root",
        ("a refusal of root with the key", "PermitRootLogin"),
    ),
    Mutant(
        "files cannot be copied",
        "RUN rm /usr/lib/openssh/sftp-server",
        "sshd",
        ("there and back by sftp", "openssh-sftp-server"),
        base=HEADLESS,
    ),
    # ---- the page
    Mutant(
        "any password opens the page",
        f"RUN sed -i 's/auth_basic $login_realm/auth_basic off/' {_FRONT}/locations.conf",
        "vnc",
        ("a refusal of a wrong desktop password", "auth_basic of /session"),
        everyday=True,
    ),
    Mutant(
        "the page has no WebSocket",
        f"RUN sed -i '/^location = .websockify/,/^}}/d' {_FRONT}/locations.conf",
        "web",
        ("the WebSocket /websockify", "404"),
        everyday=True,
    ),
    Mutant(
        "the WebSocket opens for everyone",
        f"RUN sed -i 's/if ($stranger)/if ($foreign)/; 1i set $foreign 0;' {_FRONT}/locations.conf",
        "web",
        ("the WebSocket without a session", "an open one"),
    ),
    Mutant(
        "other sites' pages get a WebSocket",
        f'RUN sed -i \'s/map "$own_origin$ticket"/map "1$ticket"/\' {_FRONT}/nginx.conf',
        "web",
        ("the WebSocket from another site's page", "an open one"),
    ),
    Mutant(
        "the certificate names another container",
        f"RUN sed -i 's/\"$(hostname)\" localhost/other/' {_START}/55-front",
        "web",
        ("a certificate that names", "one for other"),
    ),
    Mutant(
        "the page does not come over TLS",
        f"RUN sed -i 's/default tls;/default plain;/' {_START}/55-front",
        "web",
        ("the page by https", "SSL"),
    ),
    Mutant(
        "the page may be framed by anyone",
        f"RUN sed -i \"s/; frame-ancestors 'self'//\" {_FRONT}/headers.conf",
        "web",
        ("content-security-policy with frame-ancestors 'self'",),
    ),
    Mutant(
        "noVNC is missing",
        "RUN rm -r /opt/imagekit/web/htdocs/novnc/core",
        "web",
        ("404", "/novnc/core/rfb.js"),
        everyday=True,
    ),
    Mutant(
        "folders are listed",
        f"RUN sed -i 's/try_files $uri =404/autoindex on/' {_FRONT}/locations.conf",
        "web",
        ("without a list of files",),
    ),
    # ---- viewers of VNC's own
    Mutant(
        "the X server asks for no password",
        f"RUN sed -i 's/-SecurityTypes VncAuth/-SecurityTypes None/' {_DESKTOP}",
        "vnc",
        ("an offer of no authentication", "-SecurityTypes"),
        everyday=True,
    ),
    Mutant(
        "the X server listens for native viewers",
        f"RUN sed -i 's/^port=-1/port=5900/' {_DESKTOP}",
        "vnc",
        ("no port but the loopback's", "one on port 5900"),
    ),
    Mutant(
        "VNC is on the wrong port",
        (
            "RUN sed -i 's/^DESKTOP_VNC=.*/DESKTOP_VNC=password/' /etc/imagekit/settings && "
            f"sed -i 's/port=5900/port=5901/' {_DESKTOP}"
        ),
        "vnc",
        ("listens on port 5900", "one on port 5901"),
        promise=_with_viewers,
    ),
)
