"""Language and time of every session: what people see and type is not garbled."""

from __future__ import annotations

import re
import shlex
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from imagekit.checks import ssh
from imagekit.checks.answer import PYTHON
from imagekit.checks.check import CheckFailedError, CheckSkippedError, Data, asking
from imagekit.checks.ssh import Output
from imagekit.checks.sshd import session
from imagekit.checks.subject import Subject
from imagekit.plan.model import Locale
from imagekit.wait import Deadline

TEXT = "中文测试，桌面与终端 ñ é 😀"
"""Characters of two, three and four bytes in UTF-8."""

_LOOK_AT = "SetEnv and AcceptEnv in /run/imagekit/sshd_config, and /run/imagekit/environment.sh"

# One value a line. The login shell, whichever it is, starts first and hands over to sh; its
# own start may say something before "begin".
_LINES = f"""
echo begin
printf 'LANG=%s\\n' "$LANG"
printf 'charmap=%s\\n' "$(locale charmap)"
printf 'date=%s\\n' "$(date '+%s %Z %z')"
file=$(mktemp) && printf '%s' '{TEXT}' > "$file"
printf 'text=%s\\n' "$(cat "$file")"
printf 'characters=%s\\n' "$(wc -m < "$file")"
rm -f "$file"
echo end
"""
_SCRIPT = f"sh -c {shlex.quote(_LINES)}\n"

# bash, locale and perl, in that order.
_WARNING = re.compile(
    r".*(?:cannot change locale|cannot set lc_|setting locale failed).*", re.IGNORECASE
)

# A client on a machine of another language offers its own LANG.
_FOREIGN_LANG = "de_DE.UTF-8"

# Languages whose translations the build keeps (build/base/env.sh), and for which the desktop's
# panel has some; the catalogue of its messages by session. Ubuntu's packages of XFCE have them
# like Debian's: they are in universe, out of which language packs take nothing
# (https://wiki.ubuntu.com/Translations/TranslationLifecycle).
_TRANSLATED = frozenset("de es fr ja ko ru zh".split())  # noqa: SIM905
_MESSAGES = {"xfce": "xfce4-panel"}
_FIND = "import gettext, sys; print(gettext.find(sys.argv[1], languages=sys.argv[2:]) or '')"

# fontconfig tells these languages apart by country; all others go by the language alone
# (https://gitlab.freedesktop.org/fontconfig/fontconfig/-/tree/main/fc-lang).
_LANGUAGES_BY_COUNTRY = frozenset({"zh", "ku", "mn", "pa", "ti", "pap"})


def check_locale(subject: Subject, deadline: Deadline) -> Data:
    """The plan's language and time in a command and in a login shell over ssh.

    Without an ssh server what is left is the desktop's messages, where they are due.
    """
    locale = subject.plan.locale
    if subject.plan.sshd is None and (translation := _check_messages(subject, deadline)):
        return {"lang": locale.lang, "messages": translation}
    zone = _zone(locale.timezone)
    data: dict[str, object] = {"lang": locale.lang, "timezone": locale.timezone}
    with session(subject, deadline) as transport:
        with asking("a command over ssh", _LOOK_AT):
            output = ssh.run(transport, _SCRIPT, deadline)
        data["date"] = _check_session("an ssh command", output, locale, zone)
        with asking("a login shell over ssh", _LOOK_AT):
            output = ssh.run_in_login_shell(transport, _SCRIPT, deadline)
        _check_session("an ssh login shell", output, locale, zone)
        with asking(f"a command over ssh with LANG={_FOREIGN_LANG} offered", _LOOK_AT):
            output = ssh.run(transport, _SCRIPT, deadline, {"LANG": _FOREIGN_LANG})
        _check_text(f"an ssh command whose client offers LANG={_FOREIGN_LANG}", output)
        if subject.plan.desktop is not None:
            language = font_language(locale.lang)
            with asking("a font over ssh", "the package fontconfig"):
                output = ssh.run(
                    transport, f"fc-match -f '%{{family}}\\n%{{lang}}' :lang={language}", deadline
                )
            data["font"] = _check_font(output, language)
    if translation := _check_messages(subject, deadline):
        data["messages"] = translation
    return data


def _check_messages(subject: Subject, deadline: Deadline) -> str:
    """Where the desktop's messages are in the plan's language; empty where none are due."""
    plan = subject.plan
    domain = _MESSAGES.get(plan.desktop.session, "") if plan.desktop else ""
    lang = plan.locale.lang
    if not domain or lang.partition("_")[0] not in _TRANSLATED:
        return ""
    asked = f"the desktop's messages in {lang}"
    look_at = f"/usr/share/locale/*/LC_MESSAGES/{domain}.mo, and dpkg's path-exclude in the build"
    with asking(asked, look_at):
        command = (PYTHON, "-c", _FIND, domain, lang)
        code, text = subject.inside.execute(
            command, user=plan.user.name, timeout=deadline.timeout()
        )
    if code != 0 or not text.strip():
        raise CheckFailedError(asked, f"exit code {code} and {text[-300:]!r}", look_at)
    return text.strip()


def font_language(lang: str) -> str:
    """The name in fontconfig of a locale's language: ``zh-cn`` for ``zh_CN.UTF-8``, ``en``."""
    language, _, country = re.split("[.@]", lang, maxsplit=1)[0].partition("_")
    if language in {"C", "POSIX"}:
        return "en"
    if language in _LANGUAGES_BY_COUNTRY and country:
        return f"{language}-{country}".lower()
    return language.lower()


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except ZoneInfoNotFoundError as error:
        raise CheckSkippedError(
            f"this machine has no data on the time zone {name} to compare with (tzdata)"
        ) from error


def _check_session(where: str, output: Output, locale: Locale, zone: ZoneInfo) -> str:
    """Compare all that a session says; returns its date."""
    values = _check_text(where, output)
    if values["LANG"] != locale.lang:
        raise CheckFailedError(f"LANG={locale.lang} in {where}", repr(values["LANG"]), _LOOK_AT)
    date = values["date"]
    seconds, _, said = date.partition(" ")
    if not seconds.isdecimal():
        raise CheckFailedError(f"a date in {where}", repr(date), "the command date")
    expected = datetime.fromtimestamp(int(seconds), zone).strftime("%Z %z")
    if said != expected:
        raise CheckFailedError(
            f"the time zone {locale.timezone} ({expected}) in {where}",
            repr(said),
            "/etc/localtime, TZ, and the package tzdata",
        )
    return said


def _check_text(where: str, output: Output) -> dict[str, str]:
    """UTF-8, no complaint of the locale, and a text that comes back whole."""
    if warning := _WARNING.search(output.text):
        raise CheckFailedError(
            f"{where} without a complaint of its locale", repr(warning.group()), _LOOK_AT
        )
    values = _values(where, output)
    if values["charmap"] != "UTF-8":
        raise CheckFailedError(f"the charmap UTF-8 in {where}", repr(values["charmap"]), _LOOK_AT)
    back = (values["text"], values["characters"])
    if back != (TEXT, str(len(TEXT))):
        raise CheckFailedError(
            f"{TEXT!r} of {len(TEXT)} characters back from {where}",
            f"{back[0]!r} of {back[1]} characters",
            _LOOK_AT,
        )
    return values


def _values(where: str, output: Output) -> dict[str, str]:
    """The script's lines between ``begin`` and ``end``."""
    match = re.search(r"^begin\n(.*?)^end$", output.text, re.MULTILINE | re.DOTALL)
    lines = match.group(1).splitlines() if match else []
    values = dict(line.partition("=")[::2] for line in lines)
    if not {"LANG", "charmap", "date", "text", "characters"} <= values.keys():
        raise CheckFailedError(
            f"the locale's values in {where}",
            f"exit code {output.code} and {output.text[-500:]!r}",
            "the shell's start-up files",
        )
    return values


def _check_font(output: Output, language: str) -> str:
    family, _, languages = output.text.partition("\n")
    if output.code != 0 or language not in languages.split("|"):
        # fc-match always names some font, so what counts is what the font can show.
        raise CheckFailedError(
            f"a font for {language}",
            f"exit code {output.code} and {family!r}, which does not have it",
            "the plan's locale.fonts",
        )
    return family
