"""The resolver: profile + catalogue -> plan.

It fills in what the profile leaves open and refuses what does not fit, with
the place in the profile and what would be right.
"""

from __future__ import annotations

from dataclasses import dataclass

from imagekit import catalogue
from imagekit.catalogue import CudaRecipe, OsRelease
from imagekit.document import Mark, Problem, quote, refusal
from imagekit.plan import environment, features
from imagekit.plan.base_image import given_base
from imagekit.plan.choose import Refusal, choose
from imagekit.plan.files import files
from imagekit.plan.mirrors import kept, mirrors
from imagekit.plan.model import APPLICATIONS, BROWSER, MOZILLA, Desktop, Locale, Os, Plan, Sshd
from imagekit.plan.reasons import Choice, reasons
from imagekit.plan.stack import IMAGE, RECIPE, Stack, has_channels
from imagekit.profile import Profile
from imagekit.validation import suggestion

__all__ = ["Choice", "Decision", "decide", "resolve"]

# The plan stands in a label of the Dockerfile, and BuildKit takes no line of more than
# 65,535 bytes (bufio.MaxScanTokenSize, which its parser reads lines with).
_MAX_PLAN_BYTES = 60_000

_STACK_KEYS = frozenset({"base", "cuda", "framework", "python"})


@dataclass(frozen=True, slots=True)
class Decision:
    """A plan, and how it came about.

    Attributes:
        plan: the plan.
        choices: why it is so, one line for each decision about the stack.
        mirrors: what the profile wants to build with where the site does not say: pairs of
            kind and address.
    """

    plan: Plan
    choices: tuple[Choice, ...]
    mirrors: tuple[tuple[str, str], ...]


def resolve(profile: Profile) -> Plan:
    """Make every decision that the profile leaves open.

    Raises:
        InputError: with everything that is wrong or does not fit, in file order.
    """
    return decide(profile).plan


def decide(profile: Profile) -> Decision:
    """The same as ``resolve``, with the reasons.

    Raises:
        InputError: with everything that is wrong or does not fit, in file order.
    """
    problems = list(profile.problems)

    def refuse(mark: Mark, what: str, hint: str) -> None:
        problems.append(Problem(mark, what, hint))

    stack = _stack(profile, problems)
    release = stack.os if stack else _some_release(profile)
    desktop = features.desktop(profile, release, refuse)
    locale = features.locale(profile, release, refuse)
    user = features.user(profile, refuse)
    features.check_env(profile, refuse)
    features.check_labels(profile, refuse)
    named = mirrors(profile, refuse)
    contents = files(profile, refuse)
    if problems or stack is None:
        raise refusal(problems)
    apt = _apt(profile, stack, desktop, locale)
    plan = Plan(
        profile=profile.name,
        description=profile.description,
        os=Os(release.id, environment.base_image(stack, profile.image), release.suite),
        user=user,
        sshd=Sshd(profile.sshd.password, profile.sshd.root) if profile.sshd else None,
        desktop=desktop,
        jupyter=profile.jupyter,
        conda=profile.conda,
        locale=locale,
        cuda=environment.cuda(stack),
        framework=environment.framework(stack),
        python=environment.python(profile, stack),
        mirrors=kept(profile, named, mozilla=MOZILLA in dict(apt)),
        apt=apt,
        env=profile.env,
        labels=profile.labels,
        files=contents,
        health=features.health(profile),
    )
    size = len(plan.to_json().replace("\\", "\\\\").replace('"', '\\"'))
    if size > _MAX_PLAN_BYTES:
        long = "packages, env, labels and file names"
        what = f"{long} are too long together: {size} bytes of {_MAX_PLAN_BYTES}"
        raise refusal([Problem(profile.where(), what, "put long values into files")])
    return Decision(plan, reasons(profile, plan, stack), named)


def _stack(profile: Profile, problems: list[Problem]) -> Stack | None:
    """What stands on what; None after noting why there is nothing."""
    before = len(problems)

    def refuse(mark: Mark, what: str, hint: str) -> None:
        problems.append(Problem(mark, what, hint))

    if profile.wrong & _STACK_KEYS:
        return None  # what is wrong with them is said already, and more would follow from it
    _check_release(profile, problems)
    base = given_base(profile, refuse)
    if len(problems) > before:
        return None
    chosen = choose(profile, base)
    if isinstance(chosen, Refusal):
        problems.append(chosen.problem(profile))
        return None
    _check_image_python(profile, chosen, problems)
    if profile.conda and not has_channels(chosen.os):
        what = f"conda: what installs it does not run on {chosen.os.id}"
        problems.append(Problem(profile.where("conda"), what, "choose a newer release"))
    return chosen


def _check_image_python(profile: Profile, stack: Stack, problems: list[Problem]) -> None:
    """Refuse what would need an environment beside a framework in the image's own Python."""
    if stack.python.source != IMAGE:
        return
    asked = {
        ("jupyter",): profile.jupyter,
        ("packages", "pip"): profile.pip,
        ("packages", "npm"): profile.npm,
    }
    for path, value in asked.items():
        if value:
            what = f"{'.'.join(path)}: the framework lies in the base image's own Python, "
            hint = "leave base.image out, so that the framework gets an environment"
            mark = profile.where(*path)
            problems.append(Problem(mark, f"{what}beside which there is no environment", hint))


def _check_release(profile: Profile, problems: list[Problem]) -> None:
    releases = catalogue.os_releases()
    if profile.os is None:
        return
    mark = profile.where("base", "os")
    if profile.os not in releases:
        what = f"base.os: {quote(profile.os)} is not in the catalogue"
        usable = [name for name, release in releases.items() if release.packages]
        problems.append(Problem(mark, what, suggestion(profile.os, usable)))
    elif not releases[profile.os].packages:
        row = releases[profile.os]
        what = f"base.os: {profile.os}: {row.note}"
        problems.append(Problem(mark, f"{what} (source: {row.source}, {row.date})"))


def _some_release(profile: Profile) -> OsRelease:
    """A release to check the rest of a profile with whose stack was refused."""
    releases = catalogue.os_releases()
    wanted = releases.get(profile.os or "")
    return wanted if wanted and wanted.packages else next(iter(releases.values()))


def _apt(
    profile: Profile, stack: Stack, desktop: Desktop | None, locale: Locale
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The apt trunk's layers, what changes least and what most images share first."""
    packages = stack.os.packages
    layers: list[tuple[str, tuple[str, ...]]] = [("base", packages["base"])]
    recipe = stack.cuda.row
    if stack.cuda.source == RECIPE and isinstance(recipe, CudaRecipe):
        layers.append(("cuda", recipe.packages))
    if profile.sshd is not None:
        layers.append(("sshd", packages["sshd"]))
    translations: tuple[str, ...] = ()
    if desktop is not None:
        names = {"desktop": (*packages["desktop"], *packages[f"desktop.{desktop.session}"])}
        for group in desktop.applications:
            key = features.APPLICATION + group
            spoken = packages.get(f"{key}@{locale.lang.partition('.')[0]}", ())
            if group == BROWSER and stack.os.mozilla:
                names[MOZILLA] = (*packages[key], *spoken)
            else:
                names[APPLICATIONS] = (*names.get(APPLICATIONS, ()), *packages[key])
                translations += spoken
        layers += names.items()
    typed: tuple[str, ...] = ()
    if locale.input_method and desktop is not None:
        reach = packages[f"input@{desktop.session}"]
        typed = (*packages[features.INPUT + locale.input_method], *reach)
    shown = locale.fonts if desktop is not None or profile.fonts else ()
    if shown or typed or translations:
        layers.append(("locale", (*shown, *typed, *translations)))
    layers.append(("python", _interpreter(profile, stack)))
    if profile.user.shell != "bash":
        layers.append(("user", (profile.user.shell,)))
    layers.append(("packages", profile.apt))
    return tuple((feature, tuple(sorted(set(names)))) for feature, names in layers if names)


def _interpreter(profile: Profile, stack: Stack) -> tuple[str, ...]:
    """Apt packages of the environment's Python, where it is one of the release's."""
    found = environment.python(profile, stack)
    if found is None or found.source != "os":
        return ()
    return stack.os.packages.get(f"python.{found.version}") or stack.os.packages.get("python", ())
