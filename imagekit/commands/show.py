"""``imagekit show``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict

import click

from imagekit import library, names, profile
from imagekit import site as site_file
from imagekit.commands import fits, origin, plan_text
from imagekit.commands.options import (
    driver_option,
    gpu_option,
    json_option,
    profile_argument,
    set_option,
    site_option,
)
from imagekit.commands.origin import Origin
from imagekit.plan.resolve import Decision, decide


@click.command()
@profile_argument
@set_option
@click.option("--origin", "with_origin", is_flag=True, help="Say where each value comes from.")
@site_option
@gpu_option
@driver_option
@json_option
def command(
    profile_: str,
    overrides: tuple[str, ...],
    with_origin: bool,
    site: str,
    gpu: str,
    driver: str,
    as_json: bool,
) -> None:
    """Show what a profile means: every decision made, and why.

    With --origin every value of the profile and the site, and where it comes from: a flag,
    the profile, one that it extends, the site file, a default, or the resolver's choice.
    With --gpu or --driver, and on a host with NVIDIA's driver, also whether it runs there.

    JSON: {"version": 1, "plan": {…}, "digest", "tags", "choices": [{"key", "value",
    "reason", "where"}], "hardware": [{"gpu", "cc", "driver"}], "misfits": [TEXT]}, and with
    --origin "origins": [{"key", "value", "kind", "where", "why"}], where "kind" is "flag",
    "profile", "extended", "site", "default" or "chosen".
    """
    asked = profile.load(profile_, overrides)
    decision = decide(asked)
    origins: tuple[Origin, ...] = ()
    if with_origin:
        origins = origin.of_profile(library.find(profile_), asked, decision)
        origins += origin.of_site(site_file.load(site))
    there = fits.present(gpu, driver)
    wrong = fits.misfits(decision.plan, there)
    if as_json:
        shown = _document(decision)
        shown["hardware"] = [asdict(one) for one in there]
        shown["misfits"] = wrong
        if with_origin:
            shown["origins"] = [asdict(item) for item in origins]
        click.echo(json.dumps(shown, indent=2, ensure_ascii=False))
        return
    fits.say_notes(there)
    lines = _origin_lines(origins) if with_origin else plan_text.lines(decision)
    for line in lines:
        click.echo(line)
    if there and decision.plan.cuda is not None:
        on = " and ".join(map(str, there))
        click.echo(f"\n{'does not run' if wrong else 'runs'} on {on}")
        for reason in wrong:
            click.echo(f"  {reason}")


def _document(decision: Decision) -> dict[str, object]:
    plan = decision.plan
    choices = [
        {
            "key": choice.key,
            "value": choice.value,
            "reason": choice.reason,
            "where": str(choice.mark) if choice.mark else None,
        }
        for choice in decision.choices
    ]
    return {
        "version": 1,
        "plan": plan.to_dict(),
        "digest": plan.digest,
        "tags": names.tags(plan),
        "choices": choices,
    }


def _origin_lines(origins: Iterable[Origin]) -> list[str]:
    """A line a value: the key, the value, and where it comes from."""
    rows = [(item.key, plan_text.cut(item.value, 40), _place(item)) for item in origins]
    keys = max((len(row[0]) for row in rows), default=0)
    values = max((len(row[1]) for row in rows), default=0)
    return [f"{key:<{keys}}  {value:<{values}}  {place}" for key, value, place in rows]


def _place(item: Origin) -> str:
    text = f"{item.kind} {item.where}".strip()
    return f"{text}: {item.why}" if item.why else text
