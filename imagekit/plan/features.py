"""The features that do not depend on the stack: desktop, locale, user, variables, labels."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import tzdata

from imagekit import catalogue
from imagekit.catalogue import OsRelease
from imagekit.document import quote
from imagekit.plan.model import Desktop, Health, Locale, User
from imagekit.plan.refusing import Refuse
from imagekit.profile import Profile
from imagekit.secrecy import looks_secret
from imagekit.validation import suggestion

_DEFAULT_SESSION = "xfce"
_DEFAULT_GEOMETRY = "1600x900"
_DEFAULT_DEPTH = 24
_ENGLISH = "en_US.UTF-8"

# Users and groups of Debian's base-passwd (users-and-groups(7) there), and those of the
# services that images install: a user gets a group of the same name.
_RESERVED_USERS = frozenset(
    "root daemon bin sys sync games man lp mail news uucp proxy www-data backup list irc _apt "  # noqa: SIM905
    "nobody nogroup adm tty disk kmem dialout fax voice cdrom floppy tape sudo audio dip operator "
    "src shadow utmp video sasl plugdev staff users render kvm input sgx crontab netdev ssh _ssh "
    "sshd messagebus systemd-network systemd-journal systemd-timesync".split()
)
# The image sets these itself, the runtime owns them, or they load code into every process.
_RESERVED_ENV = frozenset(
    "PATH HOME USER LOGNAME SHELL LANG LC_ALL TZ DISPLAY LD_PRELOAD LD_AUDIT LD_LIBRARY_PATH "  # noqa: SIM905
    "NVIDIA_VISIBLE_DEVICES NVIDIA_DRIVER_CAPABILITIES VNC_PASSWORD".split()
)
# Namespaces that belong to somebody: ours, Docker's
# (https://docs.docker.com/engine/manage-resources/labels/), and the OCI's, which nobody may add
# to (https://github.com/opencontainers/image-spec/blob/main/annotations.md).
_RESERVED_LABELS = ("dev.imagekit.", "com.docker.", "io.docker.", "org.dockerproject.")
_OCI = "org.opencontainers."
_OCI_FREE = frozenset(
    f"{_OCI}image.{name}"
    for name in ("authors", "url", "documentation", "source", "version", "vendor", "licenses")
)

APPLICATION = "application."
INPUT = "input."
"""Prefixes of the features in ``OsRelease.packages`` that profiles name one by one."""


def desktop(profile: Profile, release: OsRelease, refuse: Refuse) -> Desktop | None:
    """The desktop with its defaults, or None without one."""
    choice = profile.desktop
    if choice is None:
        return None
    session = _DEFAULT_SESSION if choice.session is None else choice.session
    sessions = catalogue.desktop_sessions(release)
    if session not in sessions:
        what = f"desktop.session: {quote(session)} is not available on {release.id}"
        refuse(profile.where("desktop", "session"), what, suggestion(session, list(sessions)))
    groups = _named(release, APPLICATION)
    for index, group in enumerate(choice.applications):
        if group not in groups:
            path = ("desktop", "applications", index)
            what = f"{profile.key(*path)}: {quote(group)} is not available on {release.id}"
            refuse(profile.where(*path), what, suggestion(group, groups))
    return Desktop(
        session=session,
        geometry=choice.geometry or _DEFAULT_GEOMETRY,
        depth=choice.depth or _DEFAULT_DEPTH,
        applications=tuple(sorted(choice.applications)),
        vnc=choice.vnc,
    )


def locale(profile: Profile, release: OsRelease, refuse: Refuse) -> Locale:
    """Language, time zone, fonts and input method."""
    languages = catalogue.languages()
    if profile.lang not in languages:
        what = f"locale.lang: {quote(profile.lang)} is not in the catalogue"
        refuse(profile.where("locale", "lang"), what, suggestion(profile.lang, list(languages)))
    if profile.timezone not in _timezones():
        what = f"locale.timezone: no time zone {quote(profile.timezone)}"
        hint = suggestion(profile.timezone, sorted(_timezones()))
        if hint.startswith("known"):
            hint = "an IANA name such as Asia/Shanghai"
        refuse(profile.where("locale", "timezone"), what, hint)
    _check_input(profile, release, refuse)
    language = languages.get(profile.lang)
    generate = sorted({profile.lang, _ENGLISH} - {"C.UTF-8"})
    return Locale(
        lang=profile.lang,
        timezone=profile.timezone,
        generate=tuple(generate),
        fonts=tuple(sorted({*(language.fonts if language else ()), *profile.fonts})),
        input_method=profile.input_method if profile.desktop else "",
    )


def _check_input(profile: Profile, release: OsRelease, refuse: Refuse) -> None:
    if not profile.input_method:
        return
    mark = profile.where("locale", "input")
    if profile.desktop is None:
        # A language's mixin names its input method for whoever adds a desktop.
        if mark.file == profile.where().file:
            refuse(mark, "locale.input: there is no desktop to type on", "add desktop: true")
        return
    methods = _named(release, INPUT)
    if profile.input_method not in methods:
        what = f"locale.input: {quote(profile.input_method)} is not available on {release.id}"
        hint = suggestion(profile.input_method, methods) if methods else "set locale.input to none"
        refuse(mark, what, hint)


def _named(release: OsRelease, prefix: str) -> list[str]:
    """What a release has packages for, by the names that profiles use."""
    found = (name for name in release.packages if name.startswith(prefix) and "@" not in name)
    return [name.removeprefix(prefix) for name in found]


@cache
def _timezones() -> frozenset[str]:
    """The IANA data base's names, from the tzdata package: the same on every host."""
    return frozenset((Path(tzdata.__file__).parent / "zones").read_text("ascii").split())


def user(profile: Profile, refuse: Refuse) -> User:
    """The account, its group following the uid where the profile does not say."""
    chosen = profile.user
    if profile.user.name in _RESERVED_USERS:
        what = f"user.name: {quote(profile.user.name)} is a system account"
        refuse(profile.where("user", "name"), what, "for instance lab")
    return User(
        name=chosen.name,
        uid=chosen.uid,
        gid=chosen.uid if chosen.gid is None else chosen.gid,
        groups=tuple(sorted(chosen.groups)),
        shell=chosen.shell,
        sudo=chosen.sudo,
    )


def check_env(profile: Profile, refuse: Refuse) -> None:
    """Refuse variables that are ours, and those that look like secrets."""
    for name, _ in profile.env:
        mark = profile.where("env", name)
        if name.upper() in _RESERVED_ENV:
            refuse(mark, f"env.{name}: set by imagekit itself", "choose another name")
        elif looks_secret(name):
            hint = (
                "everyone can read an image's environment; hand secrets to the container as files"
            )
            refuse(mark, f"env.{name}: looks like a secret", hint)


def check_labels(profile: Profile, refuse: Refuse) -> None:
    """Refuse labels in namespaces that belong to somebody else."""
    for name, _ in profile.labels:
        if name.startswith(_OCI) and name not in _OCI_FREE:
            hint = f"free ones are {', '.join(sorted(_OCI_FREE))}"
        elif name.startswith(_RESERVED_LABELS):
            hint = "choose a name below a domain of your own, for instance edu.example.course"
        else:
            continue
        refuse(profile.where("labels", name), f"labels.{name}: this name is reserved", hint)


def health(profile: Profile) -> Health | None:
    """How the engine asks for health, or None where it shall not."""
    chosen = profile.health
    if chosen is None:
        return None
    return Health(
        interval=chosen.interval,
        timeout=chosen.timeout,
        start_period=chosen.start_period,
        retries=chosen.retries,
        command=chosen.command,
    )
