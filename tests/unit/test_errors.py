"""Messages and exit codes."""

from __future__ import annotations

import pytest

from imagekit import errors
from imagekit.errors import ImagekitError, Message


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        (Message("x.yaml:1:2", "is wrong"), "x.yaml:1:2: is wrong"),
        (Message("x.yaml:1:2", "is wrong", "do it"), "x.yaml:1:2: is wrong\n  hint: do it"),
        (Message("", "is wrong", "do it"), "is wrong\n  hint: do it"),
    ],
)
def test_message_says_where_what_and_hint(message: Message, shown: str) -> None:
    assert str(message) == shown


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.WorkFailedError, 1),
        (errors.InputError, 2),
        (errors.EngineError, 3),
        (errors.NetworkError, 4),
    ],
)
def test_exit_codes_are_the_documented_ones(error: type[ImagekitError], code: int) -> None:
    assert error.exit_code == code


def test_an_error_holds_one_message_or_several() -> None:
    one, two = Message("a", "b"), Message("c", "d", "e")
    assert errors.InputError(one).messages == (one,)
    both = errors.InputError(message for message in (one, two))
    assert both.messages == (one, two)
    assert str(both) == "a: b\nc: d\n  hint: e"
