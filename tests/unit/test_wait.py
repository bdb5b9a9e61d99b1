import pytest

from imagekit.wait import Deadline, NotYetError, until


def test_a_value_is_returned_when_the_condition_comes_true() -> None:
    tries = iter([False, False, True])

    def condition() -> str:
        if not next(tries):
            raise NotYetError("no")
        return "yes"

    assert until(condition, Deadline.after(5), pause=0.001) == "yes"


def test_the_last_reason_is_told_when_time_is_up() -> None:
    def condition() -> None:
        raise NotYetError("the cake is not baked")

    with pytest.raises(TimeoutError, match="the cake is not baked"):
        until(condition, Deadline.after(0.02), pause=0.01)


def test_a_wait_within_a_wait_is_told_once() -> None:
    def inner() -> None:
        raise NotYetError("the cake is not baked")

    def outer() -> None:
        try:
            until(inner, Deadline.after(0))
        except TimeoutError as error:
            raise NotYetError(str(error)) from error

    with pytest.raises(TimeoutError, match=r"^not in time: the cake is not baked$"):
        until(outer, Deadline.after(0.02), pause=0.01)


def test_a_last_try_without_time_for_an_answer_says_nothing_new() -> None:
    tries = iter(["the cake is not baked"])
    deadline = Deadline.after(0.02)

    def condition() -> None:
        for reason in tries:
            raise NotYetError(reason)
        deadline.abandoned.set()
        raise TimeoutError("timed out in 0.0 s")

    with pytest.raises(TimeoutError, match="the cake is not baked"):
        until(condition, deadline, pause=0.001)


def test_a_time_out_of_the_condition_s_own_is_told() -> None:
    def condition() -> None:
        raise TimeoutError("the oven does not answer")

    with pytest.raises(TimeoutError, match="the oven does not answer"):
        until(condition, Deadline.after(5))


def test_the_condition_is_asked_once_even_when_late() -> None:
    assert until(lambda: 1, Deadline.after(0)) == 1


def test_a_passed_deadline_gives_no_timeout() -> None:
    deadline = Deadline.after(0)
    assert deadline.left == 0.0
    with pytest.raises(TimeoutError):
        deadline.timeout()


def test_an_abandoned_deadline_has_passed() -> None:
    deadline = Deadline.after(100)
    assert deadline.timeout(most=3) == 3
    deadline.abandoned.set()
    assert deadline.left == 0.0
