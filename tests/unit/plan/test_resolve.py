"""The resolver: what is left open is decided, what does not fit is refused with its place."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from imagekit import profile
from imagekit.plan.model import Desktop, Locale, Os, Plan, Sshd, User
from imagekit.plan.resolve import resolve

Write = Callable[..., str]
Planned = Callable[[str], Plan]


Refused = Callable[[str], list[str]]


def test_an_empty_profile_gets_the_general_defaults(planned: Planned) -> None:
    plan = planned("")
    assert plan.os == Os("debian12", "debian:12-slim", "bookworm")
    assert plan.user == User("lab", 1000, 1000, (), "bash", sudo=True)
    assert plan.sshd == Sshd(password=True)
    assert plan.desktop is None
    assert plan.locale == Locale("en_US.UTF-8", "Etc/UTC", ("en_US.UTF-8",), (), "")
    assert [feature for feature, _ in plan.apt] == ["base", "sshd"]
    assert plan.env == ()


def test_a_full_profile_arrives_whole(planned: Planned) -> None:
    plan = planned(
        "description: d\nbase: {os: debian12}\n"
        "desktop: {session: xfce, geometry: 1920x1080}\nsshd: {password: false}\n"
        "locale: {lang: zh_CN.UTF-8, timezone: Asia/Shanghai}\npackages: {apt: [tmux, htop]}\n"
        "user: {name: zhang_san-1, uid: 59999, sudo: false}\nenv: {B: x, A: '1'}"
    )
    assert plan.description == "d"
    assert plan.desktop == Desktop("xfce", "1920x1080", 24, ())
    assert plan.sshd == Sshd(password=False)
    assert plan.locale == Locale(
        lang="zh_CN.UTF-8",
        timezone="Asia/Shanghai",
        generate=("en_US.UTF-8", "zh_CN.UTF-8"),
        fonts=("fonts-wqy-microhei",),
        input_method="",
    )
    assert plan.user == User("zhang_san-1", 59999, 59999, (), "bash", sudo=False)
    assert plan.env == (("A", "1"), ("B", "x"))
    apt = dict(plan.apt)
    assert list(apt) == ["base", "sshd", "desktop", "locale", "packages"]
    assert apt["packages"] == ("htop", "tmux")
    assert "xfce4-session" in apt["desktop"]
    assert all(list(names) == sorted(set(names)) for names in apt.values())


@pytest.mark.parametrize(
    ("text", "desktop"),
    [
        ("", None),
        ("desktop: false", None),
        ("desktop: true", Desktop("xfce", "1600x900", 24, ())),
        ("desktop: {}", Desktop("xfce", "1600x900", 24, ())),
        ("desktop: {geometry: 800x600}", Desktop("xfce", "800x600", 24, ())),
    ],
)
def test_a_desktop_is_there_when_it_is_asked_for(
    planned: Planned, text: str, desktop: Desktop | None
) -> None:
    assert planned(text).desktop == desktop


@pytest.mark.parametrize(
    ("text", "sshd"),
    [
        ("", Sshd(password=True)),
        ("sshd: true", Sshd(password=True)),
        ("sshd: {}", Sshd(password=True)),
        ("sshd: {password: false}", Sshd(password=False)),
        ("sshd: false", None),
    ],
)
def test_sshd_is_there_unless_it_is_left_out(
    planned: Planned, text: str, sshd: Sshd | None
) -> None:
    assert planned(text).sshd == sshd


def test_no_locale_is_generated_for_c(planned: Planned) -> None:
    assert planned("locale: {lang: C.UTF-8}").locale.generate == ("en_US.UTF-8",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "base: {os: debain12}",
            (
                'x.yaml:2:12: base.os: "debain12" is not in the catalogue\n'
                '  hint: did you mean "debian12"?'
            ),
        ),
        (
            "desktop: {session: xcfe}",
            (
                'x.yaml:2:20: desktop.session: "xcfe" is not available on debian12\n'
                '  hint: did you mean "xfce"?'
            ),
        ),
        (
            "locale: {lang: zh_CN}",
            (
                'x.yaml:2:16: locale.lang: "zh_CN" is not in the catalogue\n'
                '  hint: did you mean "zh_CN.UTF-8"?'
            ),
        ),
        (
            "locale: {timezone: Asia/Shangai}",
            (
                'x.yaml:2:20: locale.timezone: no time zone "Asia/Shangai"\n'
                '  hint: did you mean "Asia/Shanghai"?'
            ),
        ),
        (
            "locale: {timezone: Nowhere}",
            (
                'x.yaml:2:20: locale.timezone: no time zone "Nowhere"\n'
                "  hint: an IANA name such as Asia/Shanghai"
            ),
        ),
        (
            "user: {name: sshd}",
            'x.yaml:2:14: user.name: "sshd" is a system account\n  hint: for instance lab',
        ),
        (
            "env: {PATH: /x}",
            "x.yaml:2:13: env.PATH: set by imagekit itself\n  hint: choose another name",
        ),
        (
            "env: {GITHUB_TOKEN: x}",
            (
                "x.yaml:2:21: env.GITHUB_TOKEN: looks like a secret\n  hint: everyone can read an "
                "image's environment; hand secrets to the container as files"
            ),
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(
    refused: Refused, text: str, message: str
) -> None:
    assert refused(text) == [message]


@pytest.mark.parametrize(
    "zone", ["Asia/Shanghai", "Etc/UTC", "UTC", "America/Argentina/Buenos_Aires", "Etc/GMT+8"]
)
def test_time_zones_of_the_iana_data_base_are_accepted(planned: Planned, zone: str) -> None:
    assert planned(f"locale: {{timezone: {zone}}}").locale.timezone == zone


@pytest.mark.parametrize(
    "zone",
    [
        "../../etc/passwd",
        "/etc/localtime",
        "Asia/../Asia/Shanghai",
        "Asia",
        "Asia/",
        "Asia//Shanghai",
        "asia/shanghai",
        "'Asia/Shanghai '",
        '"Asia/Shanghai\\n"',
        "UTC; id",
        "tzdata.zi",
        "leapseconds",
        '""',
        "中国",
    ],
)
def test_what_is_no_time_zone_is_refused(refused: Refused, zone: str) -> None:
    (message,) = refused(f"locale: {{timezone: {zone}}}")
    assert "locale.timezone: " in message


@pytest.mark.parametrize("zone", ["localtime", "posixrules", "right/UTC", "posix/UTC"])
def test_what_only_some_hosts_have_is_no_time_zone(refused: Refused, zone: str) -> None:
    # The plan is the same everywhere; and in a Debian image /usr/share/zoneinfo/localtime is
    # a link to /etc/localtime, which the image would make a link to it.
    (message,) = refused(f"locale: {{timezone: {zone}}}")
    assert "locale.timezone: " in message


# Debian's base-passwd: accounts, and groups, as the user gets a group of the same name.
SYSTEM_NAMES = [
    "root",
    "daemon",
    "bin",
    "sys",
    "sync",
    "games",
    "man",
    "lp",
    "mail",
    "news",
    "uucp",
    "proxy",
    "www-data",
    "backup",
    "list",
    "irc",
    "_apt",
    "nobody",
    "sshd",
    "messagebus",
    "adm",
    "tty",
    "disk",
    "kmem",
    "dialout",
    "fax",
    "voice",
    "cdrom",
    "floppy",
    "tape",
    "sudo",
    "audio",
    "dip",
    "operator",
    "src",
    "shadow",
    "utmp",
    "video",
    "sasl",
    "plugdev",
    "staff",
    "users",
    "nogroup",
]


@pytest.mark.parametrize("name", SYSTEM_NAMES)
def test_a_name_that_the_system_has_taken_is_refused(refused: Refused, name: str) -> None:
    (message,) = refused(f"user: {{name: {name}}}")
    assert "user.name: " in message


@pytest.mark.parametrize(
    "name", ['"a:b"', "-rf", '"a b"', "../x", "a" * 33, "Ω", "Lab", "1a", '""', '"a\\n"', "a$"]
)
def test_what_is_no_user_name_is_refused(refused: Refused, name: str) -> None:
    (message,) = refused(f"user: {{name: {name}}}")
    assert "user.name: " in message


@pytest.mark.parametrize(
    "name",
    [
        "PATH",
        "HOME",
        "USER",
        "LANG",
        "LC_ALL",
        "TZ",
        "DISPLAY",
        "LD_PRELOAD",
        "LD_AUDIT",
        "LD_LIBRARY_PATH",
        "NVIDIA_VISIBLE_DEVICES",
        "NVIDIA_DRIVER_CAPABILITIES",
        "VNC_PASSWORD",
        "path",
    ],
)
def test_variables_of_the_image_itself_are_reserved(refused: Refused, name: str) -> None:
    (message,) = refused(f"env: {{{name}: x}}")
    assert f"env.{name}: set by imagekit itself" in message


@pytest.mark.parametrize(
    "name",
    [
        "API_KEY",
        "APIKEY",
        "MY_AUTH",
        "DB_CREDENTIALS",
        "CREDENTIAL",
        "key",
        "USER_PASSWORD",
        "PWORD",
        "x_passwd",
        "Client_Secret",
        "GITHUB_TOKEN",
        "TOKEN",
    ],
)
def test_variables_that_sound_like_secrets_are_refused(refused: Refused, name: str) -> None:
    (message,) = refused(f"env: {{{name}: x}}")
    assert f"env.{name}: looks like a secret" in message


@pytest.mark.parametrize(
    "name",
    [
        "EDITOR",
        "TOKENIZERS_PARALLELISM",
        "KEYBOARD",
        "AUTHOR",
        "MONKEY",
        "PASSWORDLESS",
        "SSH_PUBLIC_KEY",
        "PASSWORD_FILE",
        "TOKEN_VERSION",
    ],
)
def test_variables_that_only_look_a_little_like_secrets_are_accepted(
    planned: Planned, name: str
) -> None:
    assert planned(f"env: {{{name}: x}}").env == ((name, "x"),)


@pytest.mark.parametrize("name", ['"A B"', '"1A"', '"A=B"', '""', '"A\\n"', "Ä", "A-B", "a.b"])
def test_what_is_no_variable_name_is_refused(refused: Refused, name: str) -> None:
    (message,) = refused(f"env: {{{name}: x}}")
    assert "env: key " in message


@pytest.mark.parametrize(
    "package",
    [
        '"vim $(id)"',
        '"`id`"',
        '"vim && id"',
        '"vim; id"',
        '"-o=Dpkg::Pre-Invoke::=id"',
        "--allow-unauthenticated",
        "Vim",
        "v",
        '"foo="',
        '"foo=1.0;id"',
        "foo/stable",
        '"vim\\n"',
        '"vim\\nRUN id"',
        "٣٤",
        "./x.deb",
        "a" * 129,
    ],
)
def test_what_is_no_package_name_is_refused(refused: Refused, package: str) -> None:
    (message,) = refused(f"packages: {{apt: [{package}]}}")
    assert "packages.apt[0]: " in message


@pytest.mark.parametrize("package", ["g++", "libstdc++6", "python3.11", "0ad", "7zip", "a" * 128])
def test_package_names_of_debian_are_accepted(planned: Planned, package: str) -> None:
    assert dict(planned(f"packages: {{apt: [{package}]}}").apt)["packages"] == (package,)


def test_everything_is_said_at_once_whoever_found_it(refused: Refused) -> None:
    found = refused(
        "base: {os: debian21}\nuser: {name: root, uid: x}\nlocale: {lang: xx_YY.UTF-8, timezone: X}"
        "\nenv: {PATH: a, 1: b}\nbase: {}"
    )
    assert [message.partition(": ")[0] for message in found] == [
        "x.yaml:2:12",
        "x.yaml:3:14",
        "x.yaml:3:25",
        "x.yaml:4:16",
        "x.yaml:4:39",
        "x.yaml:5:13",
        "x.yaml:5:16",
        "x.yaml:6:1",
    ]


def test_the_same_profile_gives_the_same_plan(write: Write) -> None:
    name = write("profile: 1\ndesktop: true\nenv: {A: b}")
    assert resolve(profile.load(name)) == resolve(profile.load(name))


def test_labels_can_be_too_long_for_the_plan_too(refused: Refused) -> None:
    labels = ", ".join(f"org.example.x{number}: {'y' * 900}" for number in range(80))
    (message,) = refused(f"labels: {{{labels}}}")
    assert "packages, env, labels and file names are too long together: " in message
    assert message.endswith(" of 60000\n  hint: put long values into files")
