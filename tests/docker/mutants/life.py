"""Whether it lives on: stop and start, kill, health, and what the image carries along."""

from __future__ import annotations

from tests.docker.mutants.mutant import HEADLESS, Mutant

_START = "/usr/lib/imagekit/start.d"
_LOCK = "/tmp/.X1-lock"  # noqa: S108 (in the container)
_PID = '"         1"'  # ten characters, as X has it

MUTANTS = (
    # ---- stop and start
    Mutant(
        "the first process ignores docker stop",
        (
            r"""RUN printf '#!/bin/sh\ntrap "" TERM\n/usr/lib/imagekit/init &\n"""
            r"""while :; do wait; done\n' > /deaf && chmod +x /deaf"""
            '\nENTRYPOINT ["/deaf"]'
        ),
        "restart",
        ("an end within 10 s of `docker stop`", "137"),
        base=HEADLESS,
    ),
    Mutant(
        "every start makes other host keys",
        f"RUN sed -i 's#^keys=.*#keys=$(mktemp -d)#' {_START}/30-sshd",
        "restart",
        ("the same ssh host key",),
        base=HEADLESS,
    ),
    Mutant(
        "it starts only once",
        (
            rf"RUN printf '#!/bin/sh\nmkdir /var/lib/imagekit/once\n' > {_START}/15-once && "
            f"chmod +x {_START}/15-once"
        ),
        "restart",
        ("/var/lib/imagekit/once",),
        base=HEADLESS,
    ),
    Mutant(
        "a kill leaves a lock of the screen behind that looks alive",
        (
            # As when its process's number, a small one, is another's after the start.
            "RUN sed -i -e 's#rm -f .tmp..X[*]-lock#rm -f#' "
            f"-e 's#rm -f .tmp..X1-lock.*#[ ! -e {_LOCK} ] || echo {_PID} > {_LOCK}#' "
            f"{_START}/10-account"
        ),
        "restart",
        ("the same answers after kill and start",),
    ),
    # ---- services and health
    Mutant(
        "the desktop ends again and again",
        (
            "RUN sed -i 's/exec dbus-run-session.*/sleep 1; exit 1/' "
            "/usr/lib/imagekit/desktop-session"
        ),
        "services",
        ("a service desktop that stays",),
        everyday=True,
    ),
    Mutant(
        "a service of the image's own does not start",
        (
            rf"RUN printf '#!/bin/sh\n/usr/lib/imagekit/add-service loop root /bin/false\n' "
            f"> {_START}/90-loop && chmod +x {_START}/90-loop"
        ),
        "services",
        ("a service loop that stays", "FATAL"),
        base=HEADLESS,
    ),
    Mutant(
        "the health check is always content",
        r"RUN printf '#!/bin/sh\nexit 0\n' > /usr/lib/imagekit/health",
        "unhealthy",
        ("an unhealthy container while the ssh server hangs",),
        base=HEADLESS,
    ),
    Mutant(
        "a service that is killed stays away",
        (
            r"RUN sed -i '/^autorestart/d; s/^stopasgroup=true/autorestart=false\n&/' "
            "/usr/lib/imagekit/add-service"
        ),
        "unhealthy",
        ("the ssh server, started again after it was killed",),
        base=HEADLESS,
    ),
    Mutant(
        "it never turns healthy",
        (
            r"RUN printf '#!/bin/sh\nexit 1\n' > /usr/lib/imagekit/health.d/moon && "
            "chmod +x /usr/lib/imagekit/health.d/moon"
        ),
        "health",
        ("its HEALTHCHECK finds healthy", "moon: not healthy"),
        base=HEADLESS,
    ),
    Mutant(
        "there is no health check",
        "HEALTHCHECK NONE",
        "health",
        ("the HEALTHCHECK that the profile promises", "a container without one"),
        base=HEADLESS,
        everyday=True,
    ),
    # ---- what every container of the image has alike
    Mutant(
        "all containers have one host key",
        (
            "RUN mkdir -p /var/lib/imagekit/ssh && ssh-keygen -q -t ed25519 -N '' "
            "-f /var/lib/imagekit/ssh/ssh_host_ed25519_key"
        ),
        "sshd-host-keys",
        ("the same ssh-ed25519 key in both",),
        base=HEADLESS,
    ),
    Mutant(
        "host keys lie in a layer",
        "RUN ssh-keygen -A",
        "hygiene",
        ("keys, the same in every container", "/etc/ssh/ssh_host_"),
        base=HEADLESS,
    ),
    Mutant(
        "the machine id lies in the image",
        "RUN rm /etc/machine-id && echo 0123456789abcdef0123456789abcdef > /etc/machine-id",
        "hygiene",
        ("a machine id, the same in every container: /etc/machine-id",),
        base=HEADLESS,
    ),
    Mutant(
        "root has a password that the image brings along",
        "RUN echo root:hunter2 | chpasswd",
        "hygiene",
        ("a password of root in /etc/shadow", "a password for chpasswd in step"),
        base=HEADLESS,
    ),
    Mutant(
        "a secret stands in ENV",
        "ENV API_TOKEN=hunter2",
        "hygiene",
        ("the variable API_TOKEN of the image, which looks like a secret",),
        base=HEADLESS,
        everyday=True,
    ),
    Mutant(
        "a key lies in a layer, and a later one hides it",
        (
            "RUN mkdir -p /root/.ssh && "
            r"printf -- '-----BEGIN OPENSSH PRIVATE KEY-----\n' > /root/.ssh/id_ed25519"
            "\nRUN rm /root/.ssh/id_ed25519"
        ),
        "layers",
        ("a private key in /root/.ssh/id_ed25519 in layer",),
        base=HEADLESS,
    ),
    # ---- what is too much
    Mutant(
        "apt's package lists were left in the image",
        "RUN head -c 30M /dev/urandom > /var/lib/apt/lists/mirror.example.edu_Packages",
        "hygiene",
        ("apt's package lists: 1 file of 31.5 MB",),
        base=HEADLESS,
    ),
    Mutant(
        "the image is far too large",
        "RUN fallocate -l 1G /usr/lib/model",
        "hygiene",
        ("where its packages account for", "1073 MB by", "/usr/lib/model"),
        base=HEADLESS,
    ),
    Mutant(
        "the desktop belongs to root",
        "RUN sed -i 's/add-service desktop user/add-service desktop root/' "
        "/usr/lib/imagekit/start.d/50-desktop",
        "hygiene",
        ("of the service desktop runs as root",),
    ),
)
