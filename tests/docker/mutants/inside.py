"""What a person finds inside: language, time, environment, rights, packages."""

from __future__ import annotations

from tests.docker.mutants.mutant import HEADLESS, SSH, Mutant

_ACCOUNT = "/usr/lib/imagekit/start.d/10-account"

MUTANTS = (
    # ---- language and time
    Mutant(
        "the locale is not there",
        "RUN rm /usr/lib/locale/locale-archive",
        "locale",
        ("a complaint of its locale", "Cannot set"),
    ),
    Mutant(
        "the language is another one",
        "ENV LANG=en_US.UTF-8",
        "locale",
        ("LANG=zh_CN.UTF-8", "'en_US.UTF-8'"),
        everyday=True,
    ),
    Mutant(
        "the locale has another charmap",
        (
            "RUN rm /usr/lib/locale/locale-archive && "
            "localedef -i zh_CN -f GB18030 zh_CN.UTF-8 && localedef -i en_US -f UTF-8 en_US.UTF-8"
        ),
        "locale",
        ("the charmap UTF-8", "GB18030"),
    ),
    Mutant(
        "no font shows Chinese",
        "RUN rm -r /usr/share/fonts/truetype/wqy",
        "locale",
        ("a font for zh-cn",),
    ),
    Mutant(
        "the clock shows another time zone",
        "ENV TZ=America/New_York",
        "locale",
        ("the time zone Asia/Shanghai",),
    ),
    # ---- the environment
    Mutant(
        "login shells have a PATH of their own",
        "RUN rm /etc/profile.d/imagekit.sh && echo 'PATH=/usr/bin:/bin' >> /etc/profile",
        "environment",
        ("PATH in a login shell over ssh lacks",),
    ),
    Mutant(
        "PATH is lost over ssh",
        (
            "RUN sed -i 's#cat /run/imagekit/environment.sshd >>.*#true#' "
            "/usr/lib/imagekit/start.d/30-sshd && "
            "sed -i '/ssh-environment/d' /etc/bash.bashrc"
        ),
        "environment",
        ("PATH in a command over ssh lacks /opt/venv/bin",),
        base=SSH,
    ),
    Mutant(
        "terminals of the desktop have another PATH",
        r"""RUN echo '[ -z "$DISPLAY" ] || PATH=/usr/bin:/bin' >> /etc/bash.bashrc""",
        "environment",
        ("PATH in a terminal of the desktop lacks",),
    ),
    Mutant(
        "secrets of the container reach the sessions",
        "RUN sed -i 's/and not secret and/and/' /usr/lib/imagekit/write-environment",
        "environment",
        ("which looks like a secret, is there in a command over ssh",),
        everyday=True,
    ),
    Mutant(
        "LD_LIBRARY_PATH overrules what programs bring along",
        "ENV LD_LIBRARY_PATH=/usr/local/lib",
        "environment",
        ("LD_LIBRARY_PATH in docker exec is set",),
        base=SSH,
    ),
    # ---- the account
    Mutant(
        "sudo asks for a password",
        "RUN rm /etc/sudoers.d/imagekit",
        "user",
        ("`sudo -n id -u` does not give 0",),
        base=HEADLESS,
        everyday=True,
    ),
    Mutant(
        "the account has another number",
        "RUN usermod --uid 1234 lab",
        "user",
        ("uid 1234 instead of 1000",),
        base=HEADLESS,
    ),
    Mutant(
        "the home belongs to root",
        f'RUN chown root:root /home/lab && sed -i \'s/chown "$uid:$gid" "$home"/true/\' {_ACCOUNT}',
        "sshd",
        ("/home/lab cannot be written by lab",),
        base=HEADLESS,
    ),
    Mutant(
        "a folder of the home belongs to root",
        "RUN mkdir /home/lab/.config",
        "user",
        ("somebody else's files in the home: /home/lab/.config",),
        base=HEADLESS,
    ),
    Mutant(
        "the home cannot be written",
        f"RUN chmod 0555 /home/lab && sed -i 's/! as_user test -w \"$home\"/false/' {_ACCOUNT}",
        "user",
        ("the home cannot be written", "Permission denied"),
        base=HEADLESS,
    ),
    Mutant(
        "everyone may write what a person makes over ssh",
        "RUN sed -i '1i umask 000' /etc/bash.bashrc",
        "user",
        ("the umask 0000 over ssh", "everyone may write"),
        base=HEADLESS,
    ),
    # ---- packages
    Mutant(
        "apt has lost its database",
        "RUN rm -r /var/lib/dpkg",
        "installs",
        ("a package installed by apt", "/var/lib/dpkg"),
        base=HEADLESS,
    ),
    Mutant(
        "pip is missing",
        "RUN rm -r /opt/venv/lib/python3.11/site-packages/pip",
        "installs",
        ("a package installed by pip into /opt/venv", "ModuleNotFoundError: No module named"),
        base=SSH,
    ),
    Mutant(
        "the environment belongs to root alone",
        "RUN chown -R root:root /opt/venv && chmod -R go-w /opt/venv",
        "installs",
        ("a package installed by pip into /opt/venv",),
        base=SSH,
    ),
)
