import pytest

from imagekit import names, profile
from imagekit.checks.registry import NAMES
from imagekit.checks.selection import ANY, NEEDS, NO_WISH, choose, promise
from imagekit.checks.told import Told
from imagekit.errors import InputError
from imagekit.plan.resolve import resolve

PROFILE = "debian12-desktop"


def test_it_is_known_of_every_check_what_it_needs() -> None:
    # A new check belongs into selection.NEEDS, or into ANY where it asks the same of all.
    assert {*NEEDS, *ANY} == set(NAMES)


def test_a_profile_stands_for_its_own_image() -> None:
    plan = resolve(profile.load(PROFILE))
    assert choose(PROFILE, "", ("sshd",), (), ()) == (names.tags(plan)[1], NO_WISH)


def test_a_profile_says_what_to_expect_of_another_image() -> None:
    image, wish = choose(
        PROFILE, "lab/old:1", (), ("desktop.geometry=800x600",), ("port.sshd=2222",)
    )
    assert image == "lab/old:1"
    assert wish.expected == resolve(profile.load(PROFILE, ("desktop.geometry=800x600",)))
    assert (wish.promised, wish.told) == (None, Told(ports=((22, 2222),)))


def test_an_image_by_itself() -> None:
    assert choose("", "lab/x:1", (), (), ()) == ("lab/x:1", NO_WISH)


def test_settings_of_an_image_without_a_profile_are_remembered() -> None:
    _, wish = choose("", "lab/x:1", (), ("locale.lang=zh_CN.UTF-8",), ())
    assert wish.told.settings == ("locale.lang=zh_CN.UTF-8",)
    assert wish.promised is None


def test_nothing_is_named() -> None:
    with pytest.raises(InputError, match="name a PROFILE, or an image with --image"):
        choose("", "", (), (), ())


def test_what_is_told_needs_an_image() -> None:
    with pytest.raises(InputError, match="--with is for images that imagekit did not build"):
        choose(PROFILE, "", (), (), ("user=root",))


@pytest.mark.parametrize(
    ("only", "sshd", "desktop", "jupyter"),
    [
        (("sshd", "sshd-root"), True, False, False),
        (("locale",), True, False, False),
        (("vnc",), False, True, False),
        (("jupyter", "sshd"), True, False, True),
        (("gpu", "restart"), False, False, False),
    ],
)
def test_checks_are_promised_their_features_and_no_more(
    only: tuple[str, ...], sshd: bool, desktop: bool, jupyter: bool
) -> None:
    plan = promise(only, ())
    assert (plan.sshd is not None, plan.desktop is not None, plan.jupyter) == (
        sshd,
        desktop,
        jupyter,
    )
    assert plan.profile == ""
    assert plan.user.name == ""
    assert plan.desktop is None or plan.desktop.geometry == ""
    assert (plan.locale.lang, plan.locale.timezone) == ("en_US.UTF-8", "Etc/UTC")
    assert (plan.framework, plan.cuda, plan.conda, plan.health) == (None, None, False, None)


def test_settings_lie_over_the_defaults() -> None:
    plan = promise(
        ("vnc", "sshd"),
        (
            "locale.lang=zh_CN.UTF-8",
            "user.name=zhang",
            "desktop.geometry=800x600",
            "sshd.root=keys",
        ),
    )
    assert plan.locale.lang == "zh_CN.UTF-8"
    assert plan.user.name == "zhang"
    assert plan.desktop is not None
    assert plan.desktop.geometry == "800x600"
    assert plan.sshd is not None
    assert (plan.sshd.root, plan.sshd.password) == ("keys", True)


def test_what_no_default_can_say_has_to_be_said() -> None:
    with pytest.raises(InputError) as caught:
        promise(("framework", "cuda", "sshd"), ("cuda=12.4",))
    (message,) = caught.value.messages
    assert message.what == "the check 'framework' needs to know what to expect"
    assert "--set framework.name=pytorch" in message.hint
    plan = promise(("framework",), ("framework.name=pytorch", "framework.version=2.6"))
    assert plan.framework is not None
    assert plan.framework.release.startswith("2.6")


def test_settings_are_checked() -> None:
    with pytest.raises(InputError, match=r"--set locale.lang=zz: locale.lang"):
        promise(("locale",), ("locale.lang=zz",))
