"""The resolver: profile + catalogue -> plan.

It fills in what the profile leaves open and refuses what does not fit, with
the place in the profile and what would be right.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Protocol

import tzdata

from imagekit import catalogue
from imagekit.catalogue import OsRelease
from imagekit.document import Mark, Problem, quote, refusal
from imagekit.plan.model import Desktop, Locale, Os, Plan, Sshd, User
from imagekit.profile import DesktopChoice, Profile
from imagekit.validation import suggestion

_DEFAULT_SESSION = "xfce"
_DEFAULT_GEOMETRY = "1600x900"
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
# The words of BuildKit's check SecretsUsedInArgOrEnv, and those that make a name harmless
# (https://docs.docker.com/reference/build-checks/secrets-used-in-arg-or-env/).
_SECRET_WORD = re.compile(
    r"(^|_)(apikey|auth|credentials?|key|password|pword|passwd|secret|token)($|_)", re.IGNORECASE
)
_HARMLESS_WORD = re.compile(r"(^|_)(public|file|version)($|_)", re.IGNORECASE)

# The plan stands in a label of the Dockerfile, and BuildKit takes no line of more than
# 65,535 bytes (bufio.MaxScanTokenSize, which its parser reads lines with).
_MAX_PLAN_BYTES = 60_000


class _Refuse(Protocol):
    def __call__(self, mark: Mark, what: str, hint: str) -> None: ...


def resolve(profile: Profile) -> Plan:
    """Make every decision that the profile leaves open.

    Raises:
        InputError: with everything that is wrong or does not fit, in file order.
    """
    problems = list(profile.problems)

    def refuse(mark: Mark, what: str, hint: str) -> None:
        problems.append(Problem(mark, what, hint))

    release = _release(profile, refuse)
    desktop = _desktop(profile, release, refuse)
    locale = _locale(profile, refuse)
    _check_user(profile, refuse)
    _check_env(profile, refuse)
    if problems:
        raise refusal(problems)
    plan = Plan(
        profile=profile.name,
        description=profile.description,
        os=Os(release.id, release.image, release.suite),
        user=User(profile.user_name, profile.user_uid, profile.user_sudo),
        sshd=None if profile.sshd_password is None else Sshd(profile.sshd_password),
        desktop=desktop,
        locale=locale,
        apt=_apt(profile, release, desktop, locale),
        env=profile.env,
    )
    size = len(plan.to_json().replace("\\", "\\\\").replace('"', '\\"'))
    if size > _MAX_PLAN_BYTES:
        what = f"packages and env are too long together: {size} bytes of {_MAX_PLAN_BYTES}"
        raise refusal([Problem(profile.where(), what, "put long values into files")])
    return plan


def _release(profile: Profile, refuse: _Refuse) -> OsRelease:
    releases = catalogue.os_releases()
    preferred = next(iter(releases.values()))
    if profile.os is None:
        return preferred
    if profile.os not in releases:
        what = f"base.os: {quote(profile.os)} is not in the catalogue"
        refuse(profile.where("base", "os"), what, suggestion(profile.os, list(releases)))
        return preferred
    return releases[profile.os]


def _desktop(profile: Profile, release: OsRelease, refuse: _Refuse) -> Desktop | None:
    choice: DesktopChoice | None = profile.desktop
    if choice is None:
        return None
    session = _DEFAULT_SESSION if choice.session is None else choice.session
    sessions = catalogue.desktop_sessions(release)
    if session not in sessions:
        what = f"desktop.session: {quote(session)} is not available on {release.id}"
        refuse(profile.where("desktop", "session"), what, suggestion(session, list(sessions)))
    return Desktop(session, choice.geometry or _DEFAULT_GEOMETRY)


def _locale(profile: Profile, refuse: _Refuse) -> Locale:
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
    language = languages.get(profile.lang)
    generate = sorted({profile.lang, _ENGLISH} - {"C.UTF-8"})
    return Locale(
        lang=profile.lang,
        timezone=profile.timezone,
        generate=tuple(generate),
        fonts=language.fonts if language else (),
    )


@cache
def _timezones() -> frozenset[str]:
    """The IANA data base's names, from the tzdata package: the same on every host."""
    return frozenset((Path(tzdata.__file__).parent / "zones").read_text("ascii").split())


def _check_user(profile: Profile, refuse: _Refuse) -> None:
    if profile.user_name in _RESERVED_USERS:
        what = f"user.name: {quote(profile.user_name)} is a system account"
        refuse(profile.where("user", "name"), what, "for instance lab")


def _check_env(profile: Profile, refuse: _Refuse) -> None:
    for name, _ in profile.env:
        mark = profile.where("env", name)
        if name.upper() in _RESERVED_ENV:
            refuse(mark, f"env.{name}: set by imagekit itself", "choose another name")
        elif _SECRET_WORD.search(name) and not _HARMLESS_WORD.search(name):
            hint = (
                "everyone can read an image's environment; hand secrets to the container as files"
            )
            refuse(mark, f"env.{name}: looks like a secret", hint)


def _apt(
    profile: Profile, release: OsRelease, desktop: Desktop | None, locale: Locale
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The apt trunk's layers, what changes least and what most images share first."""
    layers: list[tuple[str, tuple[str, ...]]] = [("base", release.packages["base"])]
    if profile.sshd_password is not None:
        layers.append(("sshd", release.packages["sshd"]))
    if desktop is not None:
        session = release.packages.get(f"desktop.{desktop.session}", ())
        layers.append(("desktop", (*release.packages["desktop"], *session)))
        if locale.fonts:
            layers.append(("locale", locale.fonts))
    if profile.apt:
        layers.append(("packages", profile.apt))
    return tuple((feature, tuple(sorted(set(names)))) for feature, names in layers)
