"""Another size of the desktop, asked for as the page asks for its window's."""

from dataclasses import replace
from typing import Any

import pytest

from imagekit.checks.check import CheckFailedError
from imagekit.checks.resize import check_resize, put_back
from imagekit.wait import Deadline


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sizes that a scripted server draws in no time."""
    monkeypatch.setattr("imagekit.checks.resize._SIZES", ((65, 33), (63, 31)))


@pytest.fixture
def ask(desktop_server: Any, fake_desktop: Any, subject: Any, small: None) -> Any:
    def run(**behaviour: Any) -> Any:
        address = desktop_server(fake_desktop(**behaviour))
        return check_resize(subject(web_at=address), Deadline.after(5))

    return run


def test_the_size_changes_and_comes_back(ask: Any) -> None:
    assert ask() == {"sizes": ["64x32", "65x33", "64x32"]}


def test_a_size_that_the_desktop_has_already_proves_nothing(ask: Any) -> None:
    assert ask(width=65, height=33)["sizes"] == ["65x33", "63x31", "65x33"]


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        ({"resizable": False}, "SetDesktopSize.*; got no ExtendedDesktopSize: .* keeps its size"),
        ({"resize_status": 1}, "a refusal of 65x33: resize is administratively prohibited"),
        ({"resize_status": 3}, "a refusal of 65x33: status 3"),
    ],
)
def test_fails(ask: Any, behaviour: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckFailedError, match=message):
        ask(**behaviour)


def test_what_another_client_did_can_be_put_back(
    desktop_server: Any, fake_desktop: Any, subject: Any, plan: Any
) -> None:
    desktop = fake_desktop(width=50, height=20)
    the_plan = replace(plan, desktop=replace(plan.desktop, geometry="64x32"))
    put_back(subject(web_at=desktop_server(desktop), the_plan=the_plan), Deadline.after(5))
    assert (desktop.width, desktop.height) == (64, 32)
